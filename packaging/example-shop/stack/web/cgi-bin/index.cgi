#!/bin/sh
# The shop's page: what the application says.
printf 'Content-Type: text/plain\r\n\r\n'
timeout 3 wget -q -O - http://api:8080/cgi-bin/hello || echo "the application does not answer"
