"""The commands that bring a disk to EC2 and start it there: a bash script, to be read or to be run.

The disk becomes a snapshot block by block (the EBS direct API): no bucket, no role for an importer, no instance to write it
from.
"""

import base64
import hashlib
import json
import shlex

# The EBS direct API's block, and the least volume.
BLOCK = 512 << 10
GIB = 1 << 30
# The newest of these is taken: EC2's PV-GRUB, as a kernel image of each region.
PVGRUB = "pv-grub-hd0_*-x86_64.gz"

# What the commands need; the last four are for taking it all away again.
RIGHTS = (
    "ebs:StartSnapshot", "ebs:PutSnapshotBlock", "ebs:CompleteSnapshot", "ec2:DescribeSnapshots", "ec2:DescribeImages",
    "ec2:RegisterImage", "ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", "ec2:RunInstances",
    "ec2:DescribeInstances", "ec2:GetConsoleOutput",
    "ec2:TerminateInstances", "ec2:DeregisterImage", "ec2:DeleteSnapshot", "ec2:DeleteSecurityGroup",
)  # fmt: skip

HEAD = """\
#!/usr/bin/env bash
# Brings a disk to EC2 and starts it there. It costs money; what it leaves is named at its end.
set -euo pipefail
export AWS_PAGER= AWS_DEFAULT_OUTPUT=text
disk={disk}
block=$(mktemp)
made=()
left() {{
    rm -f "$block"
    [ ${{#made[@]}} = 0 ] || {{ echo; echo "to take it away again:"; printf '    %s\\n' "${{made[@]}}"; }}
}}
trap left EXIT
say() {{ echo "== $*"; }}
"""

SNAPSHOT = """
say "a snapshot, block by block: {count} of {all} have anything in them"
snapshot=$(aws ebs start-snapshot --volume-size {gib} --description {name} --query SnapshotId)
made=("aws ec2 delete-snapshot --snapshot-id $snapshot" "${{made[@]}}")
put() {{
    dd if="$disk" bs={size} skip="$1" count=1 status=none >"$block"
    truncate -s {size} "$block"
    aws ebs put-snapshot-block --snapshot-id "$snapshot" --block-index "$1" --block-data "$block" \\
        --data-length {size} --checksum-algorithm SHA256 --checksum "$2" >/dev/null
}}
{puts}
aws ebs complete-snapshot --snapshot-id "$snapshot" --changed-blocks-count {count} >/dev/null
aws ec2 wait snapshot-completed --snapshot-ids "$snapshot"
"""

IMAGE = """
say "the region's newest PV-GRUB"
# Images as old as these are marked as deprecated, and told of only so.
kernel=$(aws ec2 describe-images --owners amazon --include-deprecated \\
    --filters Name=image-type,Values=kernel 'Name=name,Values={pvgrub}' \\
    --query 'sort_by(Images, &Name)[-1].ImageId')
[ "$kernel" != None ] || {{ echo "this region has no {pvgrub}" >&2; exit 1; }}

say "a paravirtual image, started by $kernel"
image=$(aws ec2 register-image --name {name} --architecture x86_64 --virtualization-type paravirtual \\
    --kernel-id "$kernel" --root-device-name {root} \\
    --block-device-mappings "DeviceName={root},Ebs={{SnapshotId=$snapshot,DeleteOnTermination=true}}" --query ImageId)
made=("aws ec2 deregister-image --image-id $image" "${{made[@]}}")
"""

GROUP = """
say "a security group that lets in HTTP, and ping"
group=$(aws ec2 create-security-group --group-name {name} --description {name} --query GroupId)
made=("aws ec2 delete-security-group --group-id $group" "${made[@]}")
aws ec2 authorize-security-group-ingress --group-id "$group" --ip-permissions \\
    'IpProtocol=tcp,FromPort=80,ToPort=80,IpRanges=[{CidrIp=0.0.0.0/0}]' \\
    'IpProtocol=icmp,FromPort=-1,ToPort=-1,IpRanges=[{CidrIp=0.0.0.0/0}]' >/dev/null
"""

INSTANCE = """
say "an instance"
instance=$(aws ec2 run-instances --image-id "$image" --instance-type {kind} --count 1 \\
    --security-group-ids "$group" --instance-initiated-shutdown-behavior terminate --query 'Instances[0].InstanceId')
# The security group goes only when no instance is in it any more.
made=("aws ec2 wait instance-terminated --instance-ids $instance" "${{made[@]}}")
made=("aws ec2 terminate-instances --instance-ids $instance" "${{made[@]}}")
aws ec2 wait instance-running --instance-ids "$instance"
address=$(aws ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].PublicIpAddress')

say "its console, which EC2 shows some minutes late, and of which it keeps 64 KB"
console=
for _ in {{1..20}}; do
    console=$(aws ec2 get-console-output --instance-id "$instance" --query Output)
    case $console in *"listening on "*) break ;; esac
    sleep {pause}
done
printf '%s\\n' "$console"
case $console in *"listening on "*) ;; *) echo "it does not say that it listens" >&2; exit 1 ;; esac
say "it serves on http://$address/"
"""


def policy():
    """The rights, as an IAM policy."""
    statement = {"Effect": "Allow", "Action": list(RIGHTS), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=4)


def blocks(disk):
    """(index, SHA-256 in base64) of the blocks that are not all zero."""
    found = []
    for index in range(0, -(-len(disk) // BLOCK)):
        content = disk[index * BLOCK :][:BLOCK].ljust(BLOCK, b"\0")
        if any(content):
            found.append((index, base64.b64encode(hashlib.sha256(content).digest()).decode()))
    return found


def is_partitioned(disk):
    """Whether it begins with a partition table rather than with the empty first KiB of an ext2."""
    return disk[510:512] == b"\x55\xaa"


def script(path, name, kind, group=None, pause=30):
    """The commands for a disk, a file. A security group is made unless one is named."""
    disk = path.read_bytes()
    used = blocks(disk)
    # EC2's names for the first disk, and for one that is a partition by itself.
    root = "/dev/sda" if is_partitioned(disk) else "/dev/sda1"
    name = shlex.quote(name)
    words = {"disk": shlex.quote(str(path)), "name": name, "root": root, "pvgrub": PVGRUB}
    words |= {"size": BLOCK, "all": -(-len(disk) // BLOCK), "count": len(used), "gib": -(-len(disk) // GIB)}
    words |= {"puts": "\n".join(f"put {index} {digest}" for index, digest in used)}
    words |= {"kind": shlex.quote(kind), "pause": pause}
    allowed = f"group={shlex.quote(group)}\n" if group else GROUP.replace("{name}", name)
    return HEAD.format(**words) + SNAPSHOT.format(**words) + IMAGE.format(**words) + allowed + INSTANCE.format(**words)
