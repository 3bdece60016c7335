// SPDX-License-Identifier: Apache-2.0
// Loads libcurl on first use, because libcurl depends on thirty libraries that `cudafault arm` does not need.
#pragma once

#include <curl/curl.h>

namespace cudafault::kube {

// Functions of curl/curl.h, named without the prefix `curl_`.
struct Libcurl {
    decltype(&::curl_global_init) global_init;
    decltype(&::curl_getdate) getdate;
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_reset) easy_reset;
    decltype(&::curl_easy_setopt) easy_setopt;
    decltype(&::curl_easy_getinfo) easy_getinfo;
    decltype(&::curl_easy_strerror) easy_strerror;
    decltype(&::curl_multi_init) multi_init;
    decltype(&::curl_multi_cleanup) multi_cleanup;
    decltype(&::curl_multi_add_handle) multi_add_handle;
    decltype(&::curl_multi_remove_handle) multi_remove_handle;
    decltype(&::curl_multi_perform) multi_perform;
    decltype(&::curl_multi_poll) multi_poll;
    decltype(&::curl_multi_info_read) multi_info_read;
    decltype(&::curl_multi_strerror) multi_strerror;
};

// Throws ConfigError if libcurl is not installed.
const Libcurl& libcurl();

}  // namespace cudafault::kube
