#!/usr/bin/env bash
# Install the Debian packages that the tests use (infra/system-packages.txt). Without apt or the right to install, say so and go on:
# tests that miss a package skip themselves with that reason.
set -u
cd "$(dirname "$0")"
mapfile -t packages < <(sed 's/#.*//' system-packages.txt | xargs -n1)
missing=()
for package in "${packages[@]}"; do dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package"); done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
# The packages start no service of theirs: the tests start their own, on free ports.
policy=/usr/sbin/policy-rc.d
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null && "${sudo[@]}" chmod +x $policy && remove=1; }
if "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    status="installed"
else
    status="could not be installed; the tests that need them are skipped"
fi
[ "${remove:-}" ] && "${sudo[@]}" rm -f $policy
echo "system packages ${missing[*]}: $status"
