/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least that a process costs: what every start is measured beside. Built dynamic (empty) and static (empty-static). */

int main(void)
{
	return 0;
}
