#!/usr/bin/env bash
# Make a private CA and the certificates of the Dask scheduler, its workers and its client (mutual TLS), in FOLDER.
# Usage: certificates.sh FOLDER [NAME ...]      NAMEs are further host names or addresses of the scheduler.
# Existing certificates are kept; those that end within 30 days are made again. Keys are readable by their owner only.
set -euo pipefail
folder=${1:?usage: certificates.sh FOLDER [NAME ...]}
shift
umask 077
mkdir -p "$folder"
cd "$folder"
fresh() { [ -f "$1" ] && openssl x509 -in "$1" -checkend $((30 * 86400)) -noout >/dev/null 2>&1; }
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
if ! fresh ca.pem; then
    new_key ca.key
    openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=Sallyport internal CA" -out ca.pem \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
    rm -f scheduler.pem worker.pem client.pem # of the old CA
fi
names="DNS:scheduler,DNS:dask-scheduler,DNS:localhost,IP:127.0.0.1"
for name in "$@"; do case $name in *[!0-9.]*) names+=",DNS:$name" ;; *) names+=",IP:$name" ;; esac; done
for role in scheduler worker client; do
    fresh $role.pem && continue
    new_key $role.key
    openssl req -new -key $role.key -subj "/CN=sallyport-$role" -out $role.csr
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$names" > $role.ext
    openssl x509 -req -in $role.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 397 -extfile $role.ext -out $role.pem 2>/dev/null
    rm -f $role.csr $role.ext
done
chmod 600 ./*.key
echo "certificates in $PWD: ca.pem, and scheduler, worker, client (.pem, .key); keep ca.key offline"
