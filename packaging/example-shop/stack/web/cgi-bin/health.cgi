#!/bin/sh
# Whether the whole shop works, for those who ask from outside; counts no visit.
if timeout 3 wget -q -O /dev/null http://api:8080/healthz; then
  printf 'Content-Type: text/plain\r\n\r\nok\n'
else
  printf 'Status: 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\nno answer\n'
fi
