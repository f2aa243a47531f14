# SPDX-License-Identifier: LGPL-2.1-or-later
"""What flanneld may ask of a Kubernetes API server. Each function returns what is wrong, as sentences; none means that nothing is."""
import datetime, re

# flannel's ClusterRole, to the letter
RBAC = {("pods", ""): {"get"}, ("nodes", ""): {"get", "list", "watch"}, ("nodes", "status"): {"patch"}}
LISTING = {"limit", "continue", "resourceVersion", "resourceVersionMatch", "watch", "allowWatchBookmarks", "timeoutSeconds", "fieldSelector", "labelSelector",
           "sendInitialEvents", "pretty"}
PARAMETERS = {"list": LISTING, "watch": LISTING, "get": {"resourceVersion", "pretty"},
              "patch": {"fieldManager", "fieldValidation", "dryRun", "force", "pretty"}}
BOOLEANS, NUMBERS = {"watch", "allowWatchBookmarks", "sendInitialEvents", "force"}, {"limit", "timeoutSeconds"}
PATCHES = {"application/strategic-merge-patch+json": "strategic", "application/merge-patch+json": "merge"}
FIELDS = {(): {"kind", "apiVersion", "metadata", "status"}, ("metadata",): {"name", "uid", "resourceVersion", "annotations"}, ("status",): {"conditions"}}
CONDITION = ("type", "status", "lastHeartbeatTime", "lastTransitionTime", "reason", "message")
REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def is_time(text):
    if not isinstance(text, str) or not TIME.fullmatch(text):
        return False
    try:
        datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return True
    except ValueError:
        return False


def allowed(resource, subresource, verb):
    return verb in RBAC.get((resource, subresource), ())


def query(verb, pairs):
    """pairs: of name and value, as they came"""
    wrong = []
    names = [name for name, _ in pairs]
    for name, value in pairs:
        if name not in PARAMETERS.get(verb, ()):
            wrong.append(f"query parameter {name} is unknown to {verb}")
        elif name in BOOLEANS and value not in ("true", "false", "1", "0"):
            wrong.append(f"query parameter {name}={value} is no truth value")
        elif name in NUMBERS and not value.isdecimal():
            wrong.append(f"query parameter {name}={value} is no number")
        elif name == "resourceVersion" and not (value == "" or value.isdecimal()):
            wrong.append(f"query parameter resourceVersion={value} is none")
        if names.count(name) > 1:
            wrong.append(f"query parameter {name} is given more than once")
    given = dict(pairs)
    match = given.get("resourceVersionMatch")
    if match is not None:
        if match not in ("Exact", "NotOlderThan") or verb == "watch" or "continue" in given or not given.get("resourceVersion"):
            wrong.append(f"resourceVersionMatch={match} does not go with {given}")
        if match == "Exact" and given.get("resourceVersion") == "0":
            wrong.append("resourceVersionMatch=Exact does not go with resourceVersion=0")
    if "continue" in given and given.get("resourceVersion"):
        wrong.append("continue does not go with a resourceVersion")
    if verb == "watch" and ("limit" in given or "continue" in given):
        wrong.append("pages do not go with a watch")
    if verb == "list" and ("allowWatchBookmarks" in given or "sendInitialEvents" in given):
        wrong.append("bookmarks do not go with a list")
    return wrong


def headers(found, secure, n_credentials):
    wrong = []
    if "host" not in found:
        wrong.append("no Host")
    if not secure and "authorization" in found:
        wrong.append("a secret goes over plain HTTP")
    if secure and not n_credentials:
        wrong.append("neither a token nor a certificate")
    accept = [part.split(";")[0].strip() for part in found.get("accept", "*/*").split(",")]
    if not {"application/json", "*/*", "application/*"} & set(accept):
        wrong.append(f"Accept: {found['accept']} does not take JSON")
    if re.search(r";\s*as=", found.get("accept", "")):
        wrong.append("this server has no partial objects")
    return wrong


def media_type(found):
    return found.get("content-type", "").split(";")[0].strip().lower()


def condition(value):
    if not isinstance(value, dict):
        return ["a condition is no object"]
    wrong = [f"condition lacks {name}" for name in CONDITION if name not in value]
    wrong += [f"condition has an unknown field {name}" for name in value if name not in CONDITION]
    wrong += [f"condition's {name} is no text" for name in value if not isinstance(value[name], str)]
    if value.get("status") not in ("True", "False", "Unknown"):
        wrong.append(f"condition's status is {value.get('status')}")
    wrong += [f"condition's {name} is {value[name]!r}, which is no RFC 3339 time" for name in ("lastHeartbeatTime", "lastTransitionTime")
              if name in value and not is_time(value[name])]
    reason = value.get("reason", "x")
    if not isinstance(reason, str) or not REASON.fullmatch(reason) or len(reason) > 1024:
        wrong.append(f"condition's reason is {reason!r}")
    if len(str(value.get("message", ""))) > 32768:
        wrong.append("condition's message is too long")
    return wrong


def patch(body, name):
    """The body of a patch of nodes/NAME/status."""
    if not isinstance(body, dict):
        return ["the patch is no object"]
    wrong = []
    for path, known in FIELDS.items():
        part = body
        for step in path:
            part = part.get(step, {})
        if not isinstance(part, dict):
            return [f"{'.'.join(path)} is no object"]
        wrong += [f"unknown field {'.'.join(path + (field,))}" for field in part if field not in known]
    if (body.get("kind", "Node"), body.get("apiVersion", "v1")) != ("Node", "v1"):
        wrong.append("kind or apiVersion is not that of a Node")
    metadata = body.get("metadata", {})
    if metadata.get("name", name) != name:
        wrong.append(f"metadata.name is {metadata['name']}")
    annotations = metadata.get("annotations", {})
    if not isinstance(annotations, dict):
        return wrong + ["metadata.annotations is no object"]
    wrong += [f"annotation {key} is {value!r}, which is no text" for key, value in annotations.items() if not (value is None or isinstance(value, str))]
    conditions = body.get("status", {}).get("conditions", [])
    if not isinstance(conditions, list):
        return wrong + ["status.conditions is no list"]
    for one in conditions:
        wrong += condition(one)
    if not annotations and not conditions:
        wrong.append("the patch changes nothing")
    return wrong
