#!/usr/bin/env bash
# Install the Debian packages listed in the file that is the only argument, where this is Debian, this is root and
# something is missing. Elsewhere say what is missing and go on: the import that needs it will fail and say so.
set -euo pipefail
missing=()
while read -r package; do
    dpkg-query --show --showformat='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done <"$1"
((${#missing[@]})) || exit 0
if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "please install: apt-get install ${missing[*]}" >&2
fi
