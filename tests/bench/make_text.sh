#!/bin/sh
# make_text.sh BYTES FILE: text as programs print it, the C headers of this machine over and over.
set -e
find /usr/include -type f -name '*.h' | sort | head -3000 | xargs cat > "$2.once"
: > "$2"
while [ "$(stat -c %s "$2")" -lt "$1" ]; do cat "$2.once" >> "$2"; done
truncate -s "$1" "$2"
