// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/libcurl.hpp"

#include <dlfcn.h>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {

namespace {

// The library is never unloaded, because it may have started threads or registered exit handlers.
void* open_library() {
    if (void* library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)) return library;
    throw ConfigError(std::string("cannot load libcurl, which is required to connect to Kubernetes (") + dlerror() +
                      "): install it, on Debian and Ubuntu with `apt-get install libcurl4`");
}

class Loader {
public:
    template <typename Function>
    void load(Function& function, const char* name) const {
        function = reinterpret_cast<Function>(dlsym(library_, name));
        if (!function)
            throw ConfigError(std::string("the installed libcurl.so.4 is too old: it does not have ") + name);
    }

private:
    void* const library_ = open_library();
};

Libcurl load() {
    const Loader loader;
    Libcurl curl{};
    loader.load(curl.global_init, "curl_global_init");
    loader.load(curl.getdate, "curl_getdate");
    loader.load(curl.slist_append, "curl_slist_append");
    loader.load(curl.slist_free_all, "curl_slist_free_all");
    loader.load(curl.easy_init, "curl_easy_init");
    loader.load(curl.easy_cleanup, "curl_easy_cleanup");
    loader.load(curl.easy_reset, "curl_easy_reset");
    loader.load(curl.easy_setopt, "curl_easy_setopt");
    loader.load(curl.easy_getinfo, "curl_easy_getinfo");
    loader.load(curl.easy_strerror, "curl_easy_strerror");
    loader.load(curl.multi_init, "curl_multi_init");
    loader.load(curl.multi_cleanup, "curl_multi_cleanup");
    loader.load(curl.multi_add_handle, "curl_multi_add_handle");
    loader.load(curl.multi_remove_handle, "curl_multi_remove_handle");
    loader.load(curl.multi_perform, "curl_multi_perform");
    loader.load(curl.multi_poll, "curl_multi_poll");
    loader.load(curl.multi_info_read, "curl_multi_info_read");
    loader.load(curl.multi_strerror, "curl_multi_strerror");
    return curl;
}

}  // namespace

const Libcurl& libcurl() {
    static const Libcurl loaded = load();
    return loaded;
}

}  // namespace cudafault::kube
