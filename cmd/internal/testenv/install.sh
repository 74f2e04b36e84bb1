#!/bin/sh
# Installs what the integration tests run against, where it is missing.
# Needs Debian or a relative of it, and root for that.
set -eu

if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
	echo "installing PostgreSQL"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# Only the programs: no cluster of the package's own is made or started.
	mkdir -p /etc/postgresql-common
	echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
	apt-get install -q -y --no-install-recommends postgresql postgresql-contrib
fi

ls /usr/lib/postgresql/*/bin/postgres
