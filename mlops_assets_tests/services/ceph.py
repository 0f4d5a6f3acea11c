"""Ceph's RADOS gateway, a real S3 server: one monitor, one store that lives in memory, one gateway."""

import re
import secrets
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests as http

from mlops_assets_tests.services.processes import PATIENCE, Process, accepts, free_ports, require_programs

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
MARK = "mark"
LIFECYCLE_DAY = 5
"""Seconds that the gateway takes for a day of a lifecycle rule. A rule takes it half a second, and after a day it begins with the first."""
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = {monitor}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
mon warn on pool no redundancy = false
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
mon cluster log file = {folder}/cluster.log
mon data = {folder}/mon
osd data = {folder}/osd
keyring = {folder}/keyring
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 64
# Else a gateway that takes the place of a killed one waits for that one to confirm every change of a bucket.
rgw cache enabled = false
rgw lc debug interval = {lifecycle_day}
rgw enable usage log = false
rgw enable ops log = false
rgw override bucket index max shards = 1
debug rgw = 1
"""
ACCESS = re.compile(r'beast: \S+ \S+ - \S+ \[[^\]]*\] "(?P<method>\w+) (?P<path>\S+) [^"]*" (?P<status>\d+)')


class Request(NamedTuple):
    """A request as the gateway's log has it; the path is percent-encoded."""

    method: str
    path: str
    status: int


class CephGateway:
    """A cluster of one machine, started when this is made. What is stored outlives the gateway process, not the cluster."""

    def __init__(self, folder: Path) -> None:
        require_programs(*PROGRAMS)
        self.access_key, self.secret_key = secrets.token_hex(10), secrets.token_hex(20)
        self._folder = folder
        self._port, monitor, first_monitor = free_ports(3)
        self.url = f"http://127.0.0.1:{self._port}"
        self._fsid, self._monitor = str(uuid.uuid4()), f"[v2:127.0.0.1:{monitor},v1:127.0.0.1:{first_monitor}]"
        self._processes: list[Process] = []
        try:
            self._start_cluster(monitor)
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> str:
        """What it says of itself."""
        return f"{self._run('radosgw', '--version')} at {self.url}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client of S3 here, as whoever owns all buckets."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        """A client of Amazon's own library."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    def make_bucket(self, name: str = "") -> str:
        """A new, empty bucket."""
        name = name or f"bucket-{uuid.uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def objects(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Key -> bytes of what is stored in a bucket."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {str(item["Key"]): int(item["Size"]) for page in pages for item in page.get("Contents", [])}

    def requests(self) -> list[Request]:
        """Every request that was answered up to now, oldest first. The gateway must be running."""
        mark = f"/{MARK}-{uuid.uuid4().hex}"  # the log is written behind: once this is in it, all before it are
        deadline = time.monotonic() + PATIENCE
        http.get(f"{self.url}{mark}", timeout=PATIENCE)
        while mark not in (text := (self._folder / "client.rgw.log").read_text(errors="replace")):
            if time.monotonic() > deadline:
                pytest.fail(f"{mark} does not appear in the gateway's log")
            time.sleep(0.01)
        found = [Request(line["method"], line["path"], int(line["status"])) for line in ACCESS.finditer(text)]
        return [request for request in found if not request.path.startswith(f"/{MARK}-")]

    def stop(self, *, at_once: bool = False) -> None:
        """Ends the gateway process; `at_once`: as a crash does, without ending what it is at."""
        self._gateway.stop(signal.SIGKILL if at_once else signal.SIGTERM)

    def start(self) -> None:
        """Starts the gateway process again, on the same port and the same stored objects."""
        self._gateway.start(lambda: accepts(self._port))

    def close(self) -> None:
        """Ends all of it."""
        for process in reversed(self._processes):
            process.stop(signal.SIGKILL)

    def _start_cluster(self, monitor_port: int) -> None:
        for name in ("mon", "osd", "rgw"):
            (self._folder / name).mkdir()
        text = CONFIGURATION.format(
            fsid=self._fsid, monitor=self._monitor, folder=self._folder, port=self._port, lifecycle_day=LIFECYCLE_DAY
        )
        (self._folder / "ceph.conf").write_text(text)
        keyring, monitors = str(self._folder / "keyring"), str(self._folder / "monmap")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        everything = [word for who in ("mon", "osd", "mgr") for word in ("--cap", who, "allow *")]
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
        self._run("monmaptool", "--create", "--clobber", "--fsid", self._fsid, "--addv", "a", self._monitor, monitors)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors, "--keyring", keyring)
        self._process("ceph-mon", "-i", "a", "-f").start(lambda: accepts(monitor_port))
        store = str(uuid.uuid4())  # both must agree on it, or the store never comes up
        self._run("ceph", "--connect-timeout", "60", "osd", "new", store, "0")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store)
        self._process("ceph-osd", "-i", "0", "-f").start(lambda: " 1 up" in self._run("ceph", "osd", "stat"))
        user = ("--uid=tests", "--display-name=tests", f"--access-key={self.access_key}", f"--secret={self.secret_key}")
        self._run("radosgw-admin", "user", "create", "--max-buckets=0", *user)
        self._gateway = self._process("radosgw", "-n", "client.rgw", "-f")
        self.start()

    def _process(self, program: str, *arguments: str) -> Process:
        process = Process([*self._command(program), *arguments], self._folder / f"{program}.out")
        self._processes.append(process)
        return process

    def _run(self, program: str, *arguments: str) -> str:
        """Its output. CalledProcessError, with what it said, if it fails."""
        command = [*self._command(program), *arguments]
        try:
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise
        return done.stdout.strip()

    def _command(self, program: str) -> list[str]:
        takes_configuration = program not in ("ceph-authtool", "monmaptool")
        return [program, *(["-c", str(self._folder / "ceph.conf")] if takes_configuration else [])]
