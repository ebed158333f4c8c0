#!/usr/bin/env bash
# Start DCMTK's archive (DIMSE only) on loopback over the objects of a folder. Usage: dcmqrscp.sh FOLDER PORT MOVE_PORT OBJECT...
# Ends when it is killed. Package: dcmtk.
set -eu
folder=$1 port=$2 move=$3
shift 3
mkdir -p "$folder/db"
cat > "$folder/dcmqrscp.cfg" <<CFG
NetworkTCPPort  = $port
MaxPDUSize      = 16384
MaxAssociations = 16
HostTable BEGIN
puller = (SALLYPORT, 127.0.0.1, $move)
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE $folder/db RW (5000, 1024mb) ANY
AETable END
CFG
cp "$@" "$folder/db/"
dcmqridx "$folder/db" "$folder"/db/* >/dev/null
exec dcmqrscp --config "$folder/dcmqrscp.cfg"
