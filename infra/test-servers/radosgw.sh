#!/usr/bin/env bash
# Start a real S3 server for tests (Ceph radosgw, everything in memory) on loopback. Usage: radosgw.sh STATE_DIR RGW_PORT MON_PORT
# Users: test/testsecret (owner of all buckets), and worker, publisher, withdrawer, reader (secret = name + "secret") for policies.
# Stop: radosgw-stop.sh STATE_DIR. Needs Debian's ceph-mon ceph-osd ceph-mgr radosgw ceph-common, and root.
set -euo pipefail
state=$1 port=$2 mon_port=$3
mkdir -p "$state"/{mon,osd,mgr,rgw,run,log}
fsid=$(cat /proc/sys/kernel/random/uuid)
keyring=$state/keyring
cat > "$state/ceph.conf" <<CONF
[global]
fsid=$fsid
mon_host=v2:127.0.0.1:$mon_port
public_addr=127.0.0.1
cluster_addr=127.0.0.1
keyring=$keyring
run_dir=$state/run
log_file=$state/log/\$name.log
admin_socket=$state/run/\$name.asok
pid_file=$state/run/\$name.pid
osd_pool_default_size=1
osd_pool_default_min_size=1
osd_pool_default_pg_num=4
osd_pool_default_pg_autoscale_mode=off
osd_crush_chooseleaf_type=0
mon_allow_pool_size_one=true
mon_max_pg_per_osd=1000
mon_data_avail_warn=1
mon_data_avail_crit=0
[mon.a]
mon_data=$state/mon
[osd.0]
osd_data=$state/osd
osd_objectstore=memstore
memstore_device_bytes=1073741824
osd_op_num_shards=1
[mgr.x]
mgr_data=$state/mgr
[client.rgw.a]
rgw_data=$state/rgw
rgw_frontends=beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw_thread_pool_size=32
rgw_crypt_require_ssl=false
rgw_crypt_s3_kms_backend=testing
rgw_crypt_s3_kms_encryption_keys=testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
CONF
export CEPH_CONF=$state/ceph.conf
cd "$state"
key() { ceph-authtool "$keyring" --gen-key "$@" > /dev/null; }
ceph-authtool --create-keyring "$keyring" --gen-key -n mon. --cap mon 'allow *' > /dev/null
key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key -n mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *'
key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
key -n client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx' --cap mgr 'allow rw'
monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$state/monmap" > /dev/null
ceph-mon --mkfs -i a --monmap "$state/monmap" --keyring "$keyring"
ceph-mon -i a
for _ in $(seq 20); do timeout 5 ceph mon stat > /dev/null 2>&1 && break; sleep 0.5; done
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
timeout 20 ceph osd new "$osd_uuid" 0 > /dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid" 2> /dev/null
ceph-osd -i 0
ceph-mgr -i x
sleep 3
user() { timeout 90 radosgw-admin user create --uid="$1" --display-name="$1" --access-key="$1" --secret-key="$1secret" > /dev/null 2>&1; }
for name in test worker publisher withdrawer reader; do user "$name"; done
radosgw -n client.rgw.a
for _ in $(seq 80); do
    curl -s -m 2 "http://127.0.0.1:$port" | grep -q ListAll && exit 0
    sleep 0.5
done
echo "radosgw did not answer; its log is in $state/log" >&2
exit 1
