#!/bin/bash
# A machine of its own: the files of this one below an overlay, loopback alone, and systemd as the first process, which
# starts a camera and queries with `deploy/framelane@.service`. For a process in namespaces of its own, as root:
#   service.sh CHECKOUT CACHE SHARED     what came of it is written to SHARED/result
set -eu

# In the machine: waits for the services and looks at them.
if [ "$1" = look ]; then
  exec > /shared/result 2>&1
  wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; echo "in vain: $*"; }
  images() { [ "$(find /var/lib/framelane/images -name '*.jpg' 2>/dev/null | wc -l)" = 20 ]; }
  ended() { [ "$(systemctl show -P ActiveState framelane@camera)" = inactive ]; }
  healthy() { curl -sf 127.0.0.1:8000/healthz >/dev/null; }
  wait_for ended; wait_for images; wait_for healthy
  grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' "/proc/$(systemctl show -P MainPID framelane@queries)/status"
  systemd-analyze --no-pager security framelane@queries | tail -n 1
  systemctl start attack
  systemctl stop framelane@queries
  systemctl show -P Result framelane@camera framelane@queries
  /opt/framelane/tests/trials/fences/attack.py | sed 's/^/unfenced: /'
  sed 's/^/fenced: /' /shared/attack
  cat /shared/said
  echo the end
  exit
fi

checkout=$1 cache=$2 shared=$3
mkdir "$shared/machine"
mount -t tmpfs tmpfs "$shared/machine"
cd "$shared/machine"
# Nothing that is changed below $2 reaches $1.
over() {
  local changes
  changes=$(mktemp -d -p "$shared/machine")
  mkdir "$changes/upper" "$changes/work"
  mkdir -p "$2"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$changes/upper,workdir=$changes/work" "$2"
}
over / root
over "$checkout" root/opt/framelane
over "$cache" root/opt/framelane/.deno
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
for folder in run tmp var/lib; do mount -t tmpfs tmpfs $folder; done
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir -p etc/framelane shared old
mount --bind "$shared" shared
ip link set lo up
chroot . bash -c 'cd /opt/framelane && DENO_DIR=/opt/framelane/.deno deno cache -q launch.ts main.ts runtime/executor/worker.ts queries/*.ts'

units=etc/systemd/system
rm -rf ${units:?}/*
sed 's#^\[Service\]#&\nStandardOutput=append:/shared/said\nStandardError=append:/shared/said#' \
  "opt/framelane/deploy/framelane@.service" > "$units/framelane@.service"
sed -E 's#^ExecStart=.*#ExecStart=/opt/framelane/tests/trials/fences/attack.py\nType=oneshot\nStandardOutput=file:/shared/attack#
  /^(Restart|EnvironmentFile)/d' "opt/framelane/deploy/framelane@.service" > $units/attack.service
cat > $units/look.service <<'END'
[Service]
Type=oneshot
ExecStart=/opt/framelane/tests/trials/fences/service.sh look
END
cat > $units/trial.target <<'END'
[Unit]
Wants=framelane@camera.service framelane@queries.service look.service
END
printf '%s\n' 'ARGS=1 --source pattern: --limit 20' > etc/framelane/camera.env
printf '%s\n' 'ARGS=greyscale --sink images:images --sink display' FRAMELANE_STARTING_OFFSETS=earliest \
  > etc/framelane/queries.env
pivot_root . old
cd /
umount -l /old
exec /lib/systemd/systemd --system --unit=trial.target --log-target=journal
