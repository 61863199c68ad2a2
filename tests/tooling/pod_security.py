"""The restricted Pod Security Standard, as Kubernetes's documentation lists it (with all of baseline)."""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def violations(pod):
    """What a pod's spec does that the standard forbids, or leaves open that it demands; nothing: it is admitted."""
    found = [f"{field} is set" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    for volume in pod.get("volumes", []):
        if kinds := set(volume) - {"name"} - VOLUMES:
            found.append(f"volume {volume['name']} is a {kinds.pop()}")
    own = pod.get("securityContext", {})
    found += [f"sysctl {s['name']}" for s in own.get("sysctls", []) if s["name"] not in SYSCTLS]
    found += _of_any(own, "the pod")
    for container in [c for part in ("initContainers", "containers", "ephemeralContainers") for c in pod.get(part, [])]:
        found += _of_container(container, own)
    return found


def _of_any(context, name):
    found = []
    if context.get("runAsUser") == 0:
        found.append(f"{name} runs as user 0")
    if context.get("seccompProfile", {}).get("type") not in (None, "RuntimeDefault", "Localhost"):
        found.append(f"{name} has another seccomp profile")
    if context.get("appArmorProfile", {}).get("type") not in (None, "RuntimeDefault", "Localhost"):
        found.append(f"{name} has another AppArmor profile")
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        found.append(f"{name} has SELinux options")
    if context.get("windowsOptions", {}).get("hostProcess"):
        found.append(f"{name} is a host process")
    return found


def _of_container(container, pod):
    name, context = container["name"], container.get("securityContext", {})
    found = _of_any(context, name)
    if context.get("privileged"):
        found.append(f"{name} is privileged")
    if context.get("allowPrivilegeEscalation") is not False:
        found.append(f"{name} may escalate")
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        found.append(f"{name} may run as root")
    if not (context.get("seccompProfile") or pod.get("seccompProfile")):
        found.append(f"{name} has no seccomp profile")
    if context.get("procMount", "Default") != "Default":
        found.append(f"{name} has another procMount")
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        found.append(f"{name} keeps capabilities")
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        found.append(f"{name} adds capabilities")
    if any(port.get("hostPort") for port in container.get("ports", [])):
        found.append(f"{name} has a port of the host")
    actions = [container.get(probe, {}) for probe in PROBES] + list(container.get("lifecycle", {}).values())
    if any(action.get(kind, {}).get("host") for action in actions for kind in ("httpGet", "tcpSocket")):
        found.append(f"{name} is probed at another host")
    return found
