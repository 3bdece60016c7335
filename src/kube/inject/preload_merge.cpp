// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/preload_merge.hpp"

#include <fmt/format.h>

#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

// The container's LD_PRELOAD before the injection: literal text, or a source to copy into a helper variable, or
// neither.
struct OriginalPreload {
    std::string text;
    Json value_from;
};

const Json* find_variable(const Json& object, const ContainerSite& site) {
    std::vector<Path> lists = {site.env};
    lists.insert(lists.end(), site.weaker_env.begin(), site.weaker_env.end());
    for (const Path& list : lists) {
        if (const Json* found = find(object, list.item(names::kPreload))) return found;
    }
    return nullptr;
}

std::string unreadable_note(const ContainerSite& site, const std::string& source, const std::string& why) {
    return fmt::format("container {} gets LD_PRELOAD from {}, {}: while injected, its LD_PRELOAD has only the library",
                       site.name, source, why);
}

// True if the reference resolves. An unresolved optional reference would leave the text "$(NAME)" in LD_PRELOAD, which
// the dynamic linker cannot load.
bool can_use_reference(const Json& reference, const char* kind, const ContainerSite& site, const KeyLookup& lookup,
                       std::vector<std::string>& notes) {
    const Json* optional = find(reference, {"optional"});
    if (!optional || *optional != true) return true;  // a required key exists, or the container does not start
    const std::string name = text_at(reference, {"name"}), key = text_at(reference, {"key"});
    const std::optional<bool> exists = lookup(kind, name, key);
    if (!exists) notes.push_back(unreadable_note(site, fmt::format("{} {}", kind, name), "which cannot be read"));
    return exists.value_or(false);
}

bool can_use_source(const Json& value_from, const ContainerSite& site, const KeyLookup& lookup,
                    std::vector<std::string>& notes) {
    for (const auto& [field, kind] : {std::pair{"configMapKeyRef", "ConfigMap"}, {"secretKeyRef", "Secret"}}) {
        if (const Json* reference = find(value_from, {field}))
            return can_use_reference(*reference, kind, site, lookup, notes);
    }
    return true;  // a field of the pod always exists
}

// True if an envFrom source provides LD_PRELOAD.
bool has_preload(const Json& source, const ContainerSite& site, const KeyLookup& lookup,
                 std::vector<std::string>& notes) {
    const std::string prefix = text_at(source, {"prefix"});
    if (!std::string(names::kPreload).starts_with(prefix)) return false;
    const std::string key = std::string(names::kPreload).substr(prefix.size());
    for (const auto& [field, kind] : {std::pair{"configMapRef", "ConfigMap"}, {"secretRef", "Secret"}}) {
        const Json* reference = find(source, {field});
        if (!reference) continue;
        const std::string name = text_at(*reference, {"name"});
        const std::optional<bool> exists = lookup(kind, name, key);
        if (exists) return *exists;
        notes.push_back(
            fmt::format("container {} gets variables from {} {}, which cannot be read: an LD_PRELOAD in it has no "
                        "effect while injected",
                        site.name, kind, name));
    }
    return false;
}

Json env_sources(const Json& object, const ContainerSite& site) {
    Json sources = items_at(object, site.container / "envFrom");
    if (!site.env_secret.empty()) sources.push_back({{"secretRef", {{"name", site.env_secret}}}});
    return sources;
}

OriginalPreload find_preload(const Json& object, const ContainerSite& site, const KeyLookup& lookup,
                             std::vector<std::string>& notes) {
    if (const Json* found = find_variable(object, site)) {
        const Json* value_from = find(*found, {"valueFrom"});
        if (!value_from || value_from->is_null()) return {text_at(*found, {"value"}), nullptr};
        if (can_use_source(*value_from, site, lookup, notes)) return {"", *value_from};
        return {};
    }
    for (const Json& source : env_sources(object, site)) {
        if (has_preload(source, site, lookup, notes)) return {fmt::format("$({})", names::kPreload), nullptr};
    }
    return {};
}

}  // namespace

void merge_preload(Editor& editor, const ContainerSite& site, const std::string& library, const KeyLookup& lookup,
                   std::vector<std::string>& notes) {
    OriginalPreload original = find_preload(editor.object(), site, lookup, notes);
    const Path at = site.env.item(names::kPreload);
    if (!original.value_from.is_null()) {
        const Json helper = {{"name", names::kPreloadBefore}, {"valueFrom", original.value_from}};
        editor.add(site.env.item(names::kPreloadBefore), helper, at);
        original.text = fmt::format("$({})", names::kPreloadBefore);
    }
    editor.set(at, variable(names::kPreload, original.text.empty() ? library : library + ":" + original.text));
}

}  // namespace cudafault::kube
