# SPDX-License-Identifier: LGPL-2.1-or-later
"""A /run of a test's own, so that what plugins keep there is gone with the test."""
import os, subprocess

from observe import libc

CLONE_NEWNS = 0x00020000


def enter_private_run():
    """This process, and those that it starts, see an empty /run from now on. Needs root."""
    if libc.unshare(CLONE_NEWNS):
        raise RuntimeError("cannot leave the mount namespace: needs root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "test-run", "/run"], check=True)
    os.mkdir("/run/netns")
