# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the steps of one case, and put names in the place of what is random."""
import json, os, re, subprocess

import probe
from observe import DATA, kind, netns, ns_path, observe, peer_of, prepare, remove

PODS = ["pod", "pod2", "pod3"]
MAC = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")
VETH = re.compile(r"veth[0-9a-f]{8}")
STEP_SECONDS = 60


class Names:
    """MAC addresses that the kernel chose and host ends, numbered by role; those written in the case stay."""

    def __init__(self, case_text, plugins):
        self.case_text, self.plugins = case_text, plugins
        self.literal = set(MAC.findall(case_text.lower())) | {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}
        self.macs, self.veths = {}, {}

    def mac(self, mac):
        if mac and mac not in self.literal and mac not in self.macs:
            self.macs[mac] = f"MAC{len(self.macs) + 1}"

    def veth(self, name):
        if VETH.fullmatch(name) and name not in self.veths and name not in self.case_text:
            self.veths[name] = f"VETH{len(self.veths) + 1}"

    def learn(self, everyone):
        """Host devices by name, then each container's interfaces with their other ends, then the rest."""
        host = everyone.get("host", [])
        for l in sorted((l for l in host if not VETH.fullmatch(l["ifname"])), key=lambda l: l["ifname"]):
            self.mac(l.get("address"))
        for n in PODS:
            for l in sorted(everyone.get(n, []), key=lambda l: l["ifname"]):
                self.mac(l.get("address"))
                peer = peer_of(l, everyone) if kind(l) == "veth" else "?"
                if peer.startswith("host/"):
                    self.veth(peer[5:])
                    self.mac(next(x for x in host if x["ifname"] == peer[5:])["address"])
        for l in sorted(host, key=lambda l: l["ifindex"]):
            self.veth(l["ifname"])
            self.mac(l.get("address"))

    def text(self, s):
        for n in ["host"] + PODS:
            s = re.sub(re.escape(ns_path(n)) + r"(?![\w-])", f"@NS_{n.upper()}@", s)
        s = s.replace(DATA, "@DATA@").replace(self.plugins, "@PLUGINS@")
        for name, symbol in self.veths.items():
            s = s.replace(name, symbol)
        s = re.sub(r"\bveth[0-9a-f]{8}\b", lambda m: m[0] if m[0] in self.case_text else "VETH?", s)
        return MAC.sub(lambda m: self.macs.get(m[0], m[0] if m[0] in self.literal else "MAC?"), s)

    def walk(self, value):
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.walk(x) for x in value]
        if isinstance(value, dict):
            named = {self.text(k): self.walk(x) for k, x in value.items()}
            for k in ("fdb", "route", "route6", "neigh"):  # names may have changed the order
                if isinstance(named.get(k), list) and all(isinstance(x, str) for x in named[k]):
                    named[k].sort()
            return named
        return value


def fill(value, plugins):
    """the placeholders of a case as what they stand for"""
    if isinstance(value, str):
        for n in ["host"] + PODS:
            value = value.replace(f"@NS_{n.upper()}@", ns_path(n))
        return value.replace("@DATA@", DATA).replace("@PLUGINS@", plugins)
    if isinstance(value, list):
        return [fill(x, plugins) for x in value]
    if isinstance(value, dict):
        return {k: fill(x, plugins) for k, x in value.items()}
    return value


def parse(text):
    """None for nothing, a value, a list of several values, or {"text": ...} for what is no JSON"""
    text = text.strip()
    decoder, values, at = json.JSONDecoder(), [], 0
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
            while at < len(text) and text[at].isspace():
                at += 1
    except ValueError:
        return {"text": text}
    return None if not values else values[0] if len(values) == 1 else values


def shell(lines, env, what):
    lines = [lines] if isinstance(lines, str) else lines
    with netns("host"):
        p = subprocess.run(["sh", "-e", "-u", "-c", "\n".join(lines)], env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    if p.returncode:
        raise RuntimeError(f"{what} failed ({p.returncode}): {p.stdout.strip()}")


def run_plugin(case, step, plugins, result):
    env = {"PATH": os.environ["PATH"], **case["env"], "CNI_COMMAND": step["run"], **step.get("env", {})}
    env = {k: v for k, v in env.items() if v is not None}
    # sanitizers must not print into what is compared; a helper that is not installed yet has to be named
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "FLANNEL_NFT_HELPER"):
        if name in os.environ:
            env[name] = os.environ[name]
    config = step.get("stdin", case["stdin"])
    if isinstance(config, dict):
        config = {**config, **step.get("merge", {})}
        if step.get("prev") and result is not None:
            config["prevResult"] = result
        config = json.dumps(config)
    program = os.path.join(plugins, step.get("plugin", case["plugin"]))
    with netns("host"):
        try:
            p = subprocess.run([program], input=config.encode("utf-8", "surrogateescape"), env=env, cwd="/run",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=STEP_SECONDS)
        except subprocess.TimeoutExpired:
            return {"run": step["run"], "rc": "timeout", "stdout": None}
    seen = {"run": step["run"], "rc": p.returncode, "stdout": parse(p.stdout.decode(errors="replace"))}
    if p.returncode not in (0, 1):
        seen["stderr"] = p.stderr.decode(errors="replace").strip()[:2000]
    return seen


def play(case, plugins):
    """Returns what was seen, in the form of "expect"."""
    spaces = ["host"] + case.get("pods", ["pod"])
    remove(["host"] + PODS)
    case = {k: v for k, v in case.items() if k in ("plugin", "pods", "setup", "env", "stdin", "steps")}
    names = Names(json.dumps(case), plugins)
    case = fill(case, plugins)
    env = {"PATH": os.environ["PATH"], "HOST": "gc-host", "POD": "gc-pod", "POD2": "gc-pod2", "POD3": "gc-pod3",
           "DATA": DATA, "PLUGINS": plugins}
    try:
        base = prepare(spaces)
        if case.get("setup"):
            shell(case["setup"], env, "setup")
        last, everyone = observe(spaces, base)
        names.learn(everyone)
        last = names.walk(last)
        seen, results = [], {}
        for step in case["steps"]:
            if "sh" in step:
                shell(step["sh"], env, f"step {step['sh']!r}")
                one = {"sh": True}
            elif "probe" in step:
                one = {"probe": probe.run(step["probe"])}
            else:
                of = step.get("of", "")
                one = run_plugin(case, step, plugins, results.get(of))
                if step["run"] == "ADD" and one["rc"] == 0:
                    results[of] = one["stdout"]
            state, everyone = observe(spaces, base)
            names.learn(everyone)
            one, state = names.walk(one), names.walk(state)
            one["state"] = "unchanged" if state == last else state
            last = state
            seen.append(one)
    finally:
        remove(spaces)
    return {"steps": seen}
