#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# attach.sh PROGRAM: attaches a container again and again, letting the n-th system call of a kind fail, for n = 1, 2 ... until none is
# struck any more. Each failed attachment must tell an error and leave both namespaces as they were.
set -u

program=$1
id=flf$$
node=$id-node
pod=$id-pod
work=$(mktemp -d)
status=0

# leak checks do not work below strace, which the harness knows from every other test
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

clean_up()
{
	ip netns del "$node" 2>/dev/null
	ip netns del "$pod" 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT

# what of a namespace must not change
look()
{
	ip netns exec "$1" sh -c 'ip -o link | sed "s/ qdisc [a-z]*//"; ip -o addr | sed "s/ valid_lft.*//"; ip route show table all
		ip -6 route show table all; cat /proc/sys/net/ipv4/ip_forward
		cat /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/*/disable_ipv6'
}

# strike SYSCALL ERRNO FLAGS MINIMUM [PREPARATION]: at least MINIMUM failures must have been met, lest this test nothing
strike()
{
	local n r prepared=${5:-true}

	for n in $(seq 1 60); do
		ip netns add "$node" && ip netns add "$pod" || exit 1
		ip netns exec "$pod" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6'
		ip netns exec "$node" sh -c "$prepared"
		{ look "$node"; look "$pod"; } >"$work/before"
		ip netns exec "$node" strace -f -qq -o "$work/trace" -e trace="$1" -e inject="$1:error=$2:when=$n" \
			"$program" "/run/netns/$pod" "$3" 2>"$work/error"
		r=$?
		{ look "$node"; look "$pod"; } >"$work/after"
		ip netns del "$node"
		ip netns del "$pod"
		if [ $r -eq 0 ] && ! grep -q INJECTED "$work/trace"; then
			[ "$n" -gt "$4" ] && return
			echo "$1, flags $3: just $((n - 1)) could be struck, expected $4"
			status=1
			return
		fi
		# a step that does not matter may fail in silence, but then the attachment is whole
		[ $r -eq 0 ] && continue
		if [ $r -ne 1 ] || ! diff "$work/before" "$work/after" >"$work/diff"; then
			echo "$1 $n, flags $3, after \"$prepared\": exit $r, $(cat "$work/error")"
			cat "$work/diff"
			status=1
		fi
	done
	echo "$1, flags $3: no end after $n"
	status=1
}

bridge='ip link add cni0 type bridge'
for flags in 0 1; do
	strike sendmsg ENOBUFS $flags 10
	strike sendmsg ENOBUFS $flags 10 "$bridge"
	strike socket EMFILE $flags 1
done
strike setsockopt ENOPROTOOPT 1 3
strike clone3 EAGAIN 0 1
exit $status
