#!/bin/sh
# Prepares a fresh Debian (12 and newer) or Ubuntu (22.04 and newer) instance for a stack: installs
# trimtab's package with what it needs, adds swap if asked to, writes the stack's file. Opens no
# port and removes nothing; running it again changes only what is missing.
#
# Paste it as the instance's launch script after filling in the values below, or run it as root with
# the same names in the environment or as arguments:
#
#   sh launch.sh PACKAGE=https://example.com/trimtab.deb SHA256=9f86… STACK=shop \
#     GIT_URL=git@github.com:acme/shop.git KNOWN_HOSTS='github.com ssh-ed25519 AAAA…'
#
# What it did is in the instance's /var/log/cloud-init-output.log.
set -eu

# The package: an https address or a file. SHA256 (sha256sum shows it) is required for http.
PACKAGE=${PACKAGE:-}
SHA256=${SHA256:-}

# Size of the swap file in MiB, made if the instance has less than 2 GiB of memory and no swap yet.
# Empty: none.
SWAP_MIB=${SWAP_MIB:-}

# The first stack. Without GIT_URL, none is written. GIT_REF and DIRECTORY may be empty: branch
# main, directory /srv/STACK. KNOWN_HOSTS: lines of the Git server's host keys, needed for SSH: an
# unknown server is not trusted. GitHub's are at https://api.github.com/meta; other forges publish
# theirs as well.
STACK=${STACK:-app}
GIT_URL=${GIT_URL:-}
GIT_REF=${GIT_REF:-}
DIRECTORY=${DIRECTORY:-}
KNOWN_HOSTS=${KNOWN_HOSTS:-}

known=/etc/trimtab/known_hosts

say() { echo "trimtab: $*"; }
fail() {
  say "$*" >&2
  exit 1
}

# Before anything is changed.
check_settings() {
  case $PACKAGE in
    https://*) ;;
    http://*) [ -n "$SHA256" ] || fail "PACKAGE is an http address, which needs SHA256" ;;
    /*) [ -f "$PACKAGE" ] || fail "there is no file $PACKAGE" ;;
    '') fail "PACKAGE is missing: the address or the file of trimtab's .deb" ;;
    *) fail "PACKAGE is neither an https address nor an absolute path: $PACKAGE" ;;
  esac
  case $SWAP_MIB in
    *[!0-9]*) fail "SWAP_MIB is no number: $SWAP_MIB" ;;
  esac
  case $STACK in
    '' | [!a-z0-9]* | *[!a-z0-9_-]*)
      fail "STACK is no name of lower-case letters, digits, - and _: $STACK"
      ;;
  esac
  if is_ssh && [ -z "$KNOWN_HOSTS" ] && [ ! -s "$known" ]; then
    fail "KNOWN_HOSTS is missing: the host keys of the Git server, which is not trusted without"
  fi
  # They go into a file of YAML, in which these would mean something else.
  case $GIT_URL$GIT_REF$DIRECTORY in
    *[\"\\]* | *[[:cntrl:]]*)
      fail "GIT_URL, GIT_REF and DIRECTORY must not hold quotes or backslashes"
      ;;
  esac
}

# Whether the stack is reached by SSH, with a key of its own.
is_ssh() {
  case $GIT_URL in
    '' | http://* | https://* | /*) return 1 ;;
  esac
}

install_package() {
  folder=$(mktemp -d /var/tmp/trimtab-launch-XXXXXX)
  trap 'rm -rf "$folder"' EXIT
  # apt reads what is in it as a user of its own.
  chmod 755 "$folder"
  file=$folder/trimtab.deb
  # A fresh instance updates itself first: apt's lock is waited for, not fought over.
  apt="apt-get -q -y -o DPkg::Lock::Timeout=600"
  export DEBIAN_FRONTEND=noninteractive

  # The lists have a lock of their own, which apt-get does not wait for.
  tries=60
  until $apt update; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "apt-get update fails, see above"
    sleep 10
  done
  case $PACKAGE in
    /*) cp "$PACKAGE" "$file" ;;
    *)
      $apt install --no-install-recommends ca-certificates
      # apt's own, since curl is not on every image.
      /usr/lib/apt/apt-helper download-file "$PACKAGE" "$file"
      ;;
  esac
  if [ -n "$SHA256" ]; then
    echo "$SHA256  $file" | sha256sum --check --status ||
      fail "the package's SHA-256 is not $SHA256 but $(sha256sum "$file" | cut -d ' ' -f 1)"
  fi
  chmod 644 "$file"
  # Files of the configuration that were edited stay as they are.
  $apt -o DPkg::Options::=--force-confold install "$file"
}

make_swap() {
  [ -n "$SWAP_MIB" ] || return 0
  memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  if [ "$memory" -ge 2000 ]; then
    say "no swap: the instance has $memory MiB of memory"
    return 0
  fi
  if [ ! -e /swapfile ]; then
    if [ "$(wc -l </proc/swaps)" -gt 1 ]; then
      say "no swap file: there is swap already"
      return 0
    fi
    free=$(df -Pm / | awk 'NR == 2 { print $4 }')
    [ "$free" -gt $((SWAP_MIB + 2048)) ] ||
      fail "$free MiB are free, too few for SWAP_MIB=$SWAP_MIB"
    # Made beside and renamed: an interrupted run leaves no half a swap file.
    (umask 077 && dd if=/dev/zero of=/swapfile.new bs=1M count="$SWAP_MIB" status=none)
    mkswap /swapfile.new >/dev/null
    mv /swapfile.new /swapfile
  fi
  grep -q '^/swapfile ' /etc/fstab || echo '/swapfile none swap sw 0 0' >>/etc/fstab
  grep -q '^/swapfile ' /proc/swaps || swapon /swapfile
}

write_stack() {
  [ -n "$GIT_URL" ] || return 0
  key=
  if is_ssh; then key=/etc/trimtab/keys/$STACK; fi
  if [ -n "$key" ] && [ ! -e "$key" ]; then
    ssh-keygen -q -t ed25519 -N '' -C "trimtab $STACK@$(uname -n)" -f "$key"
  fi
  if [ -n "$KNOWN_HOSTS" ]; then
    touch "$known"
    [ -z "$(tail -c 1 "$known")" ] || echo >>"$known"
    echo "$KNOWN_HOSTS" | while IFS= read -r line; do
      grep -qxF -e "$line" "$known" || echo "$line" >>"$known"
    done
  fi

  stack_file=/etc/trimtab/stacks.d/$STACK.yaml
  if [ -e "$stack_file" ]; then
    say "$stack_file already exists and is not changed"
  else
    # Judged before it is put where it counts.
    {
      echo 'git:'
      echo "  url: \"$GIT_URL\""
      [ -z "$GIT_REF" ] || echo "  ref: \"$GIT_REF\""
      [ -z "$key" ] || echo "  key: $key"
      [ -z "$DIRECTORY" ] || echo "directory: \"$DIRECTORY\""
    } >"$folder/$STACK.yaml"
    trimtab check "$folder/$STACK.yaml" || fail "no stack was written"
    install -m 644 "$folder/$STACK.yaml" "$stack_file"
    # Where systemd does not run yet, the daemon reads it when it starts.
    [ ! -d /run/systemd/system ] || systemctl restart trimtabd
  fi

  if [ -n "$key" ]; then
    say "register this as a deploy key of the repository, for reading:"
    cat "$key.pub"
  fi
}

main() {
  for setting in "$@"; do
    name=${setting%%=*} value=${setting#*=}
    case $setting in
      PACKAGE=*) PACKAGE=$value ;;
      SHA256=*) SHA256=$value ;;
      SWAP_MIB=*) SWAP_MIB=$value ;;
      STACK=*) STACK=$value ;;
      GIT_URL=*) GIT_URL=$value ;;
      GIT_REF=*) GIT_REF=$value ;;
      DIRECTORY=*) DIRECTORY=$value ;;
      KNOWN_HOSTS=*) KNOWN_HOSTS=$value ;;
      *) fail "there is no setting $name" ;;
    esac
  done
  [ "$(id -u)" = 0 ] || fail "run this as root"
  check_settings
  # First, since apt needs the memory most.
  make_swap
  install_package
  write_stack
  say "done; \`trimtab status\` shows what happens"
}

# In one piece at the end: a script that arrives cut off does nothing.
main "$@"
