#!/usr/bin/env bash
# Start Orthanc (DIMSE and DICOMweb) on loopback, with an empty store. Usage: orthanc.sh FOLDER HTTP_PORT DICOM_PORT [MOVE_PORT]
# Ends when it is killed; everything it keeps is in FOLDER. Packages: orthanc orthanc-dicomweb.
set -eu
folder=$1 http=$2 dicom=$3 move=${4:-11115}
mkdir -p "$folder"
cat > "$folder/orthanc.json" <<JSON
{"Name": "archive", "StorageDirectory": "$folder/db", "IndexDirectory": "$folder/db", "HttpPort": $http, "DicomPort": $dicom,
 "DicomAet": "ARCHIVE", "RemoteAccessAllowed": false, "AuthenticationEnabled": true, "RegisteredUsers": {"puller": "test-only"},
 "DicomCheckCalledAet": true, "DicomAlwaysAllowStore": true, "DicomAlwaysAllowFind": true, "DicomAlwaysAllowGet": true,
 "DicomAlwaysAllowMove": true, "DicomModalities": {"puller": ["SALLYPORT", "127.0.0.1", $move]},
 "Plugins": ["/usr/share/orthanc/plugins"], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}, "StableAge": 1,
 "OverwriteInstances": true, "UnknownSopClassAccepted": true, "DicomThreadsCount": 4, "HttpThreadsCount": 20}
JSON
exec Orthanc "$folder/orthanc.json"
