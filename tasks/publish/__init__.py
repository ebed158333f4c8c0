"""Publishing: stores, manifests, the commit log, signatures, verification and withdrawal."""
