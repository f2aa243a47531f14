# SPDX-License-Identifier: LGPL-2.1-or-later
# The net below the tests, for run and net-catches: what a program does wrong without failing becomes a file in a directory.

# net_open DIR: programs started from here on write their reports to DIR. UBSan cannot (its log_path has no effect beside ASan's
# in gcc 12): it ends the program by abort(3) instead, which no caller takes for an orderly exit.
net_open()
{
	local checks=detect_leaks=1:detect_stack_use_after_return=1:check_initialization_order=1

	export ASAN_OPTIONS="log_path=$1/asan:log_exe_name=1:$checks"
	export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
	export FLANNEL_TEST_REPORTS=$1
}

# net_print DIR: prints what the net caught; fails if that was something
net_print()
{
	local file status=0

	for file in "$1"/*; do
		[ -e "$file" ] || continue
		status=1
		echo "--- report ${file##*/}"
		sed '/^SUMMARY:/q; 60q' "$file"
	done
	return $status
}
