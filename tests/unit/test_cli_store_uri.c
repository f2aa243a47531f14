/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "store_uri.h"

#define MAX_WORDS 8

Test(cli_store_uri, is_what_the_flags_say)
{
	static const struct {
		const char *words[MAX_WORDS];
		enum options_store store;
		const char *uri;
	} cases[] = {
		{{NULL}, OPTIONS_STORE_EMBEDDED, "embedded:/var/lib/flannel/leases.db"},
		{{"--store-path=/x y"}, OPTIONS_STORE_EMBEDDED, "embedded:/x y"},
		{{"--store=static", "--store-path=/x y?"}, OPTIONS_STORE_STATIC, "static:/x y?"},
		{{"--store=etcd"},
		 OPTIONS_STORE_ETCD,
		 "etcd:http://127.0.0.1:4001,http://127.0.0.1:2379?prefix=/coreos.com/network"},
		{{"--etcd-endpoints=https://a:1,b", "--etcd-prefix=/x y&?%", "--etcd-cafile=/ca.pem",
		  "--etcd-certfile=c", "--etcd-keyfile=k", "--etcd-username=r\xc3\xb6t", "--etcd-password=a b&c=d%2"},
		 OPTIONS_STORE_ETCD,
		 "etcd:https://a:1,b?prefix=/x%20y%26%3F%25&cafile=/ca.pem&certfile=c&keyfile=k&username=r%C3%B6t"
		 "&password=a%20b%26c%3Dd%252"},
		{{"--kube-subnet-mgr"},
		 OPTIONS_STORE_KUBE,
		 "kube:?pod=kube-flannel/ds-1&prefix=flannel.alpha.coreos.com&net-config=/etc/kube-flannel/"
		 "net-conf.json"},
		{{"--store=kube", "--kubeconfig-file=/a b", "--kube-api-url=https://h:1",
		  "--kube-annotation-prefix=", "--net-config-path=n", "--set-node-network-unavailable=false"},
		 OPTIONS_STORE_KUBE,
		 "kube:?pod=kube-flannel/ds-1&prefix=&kubeconfig=/a%20b&api-url=https%3A//h%3A1&net-config=n"
		 "&condition=false"},
	};

	(void)unsetenv("NODE_NAME");
	(void)setenv("POD_NAME", "ds-1", 1);
	(void)setenv("POD_NAMESPACE", "kube-flannel", 1);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(options_clear) struct options options;
		char *argv[MAX_WORDS + 2] = {(char *)"flanneld"}, *message = NULL, *uri;
		enum options_store store = OPTIONS_STORE_EMBEDDED;
		int argc = 1;

		for (const char *const *word = cases[i].words; *word; word++)
			argv[argc++] = (char *)*word;
		cr_assert_eq(options_init(&options), 0);
		cr_assert_eq(options_parse(&options, argc, argv, &message), 0, "case %zu: %s", i, message);
		cr_assert_eq(options_select_store(&options, &store, NULL), 0);
		cr_assert_eq(store, cases[i].store, "case %zu", i);
		uri = store_uri_format(&options, store);
		cr_expect_str_eq(uri, cases[i].uri);
		store_uri_free(uri);
	}
}
