"""Makes the program of a seccomp filter of a profile as containers take it."""
import json
import sys

import seccomp

ACTIONS = {"SCMP_ACT_ALLOW": seccomp.ALLOW}


def add(program, action, name, args=()):
    if seccomp.resolve_syscall(seccomp.Arch(), name) >= 0:
        program.add_rule_exactly(action, name, *args)


profile, out = sys.argv[1:]
rules = json.load(open(profile))
program = seccomp.SyscallFilter(seccomp.ERRNO(rules["defaultErrnoRet"]))
for rule in rules["syscalls"]:
    action = ACTIONS.get(rule["action"]) or seccomp.ERRNO(rule["errnoRet"])
    args = [
        seccomp.Arg(arg["index"], seccomp.MASKED_EQ, arg["value"], arg["valueTwo"])
        for arg in rule.get("args", [])
    ]
    for name in rule["names"]:
        add(program, action, name, args)
with open(out, "wb") as file:
    program.export_bpf(file)
