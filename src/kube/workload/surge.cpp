// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/surge.hpp"

#include <algorithm>
#include <string_view>

#include "kube/api/common/numbers.hpp"

namespace cudafault::kube {

namespace {

bool is_zero_pods(const Json& pods) { return pods == 0 || pods == "0" || pods == "0%"; }

}  // namespace

void forbid_surge(Editor& editor, const Resource& resource, bool pinned) {
    const Kind* kind = kind_of(resource);
    const auto limits = kind && kind->surge_limits ? kind->surge_limits(editor.object()) : std::nullopt;
    if (!limits) return;
    const Path surge = limits->at / "maxSurge", unavailable = limits->at / "maxUnavailable";
    if (pinned && limits->surges_by_default) {
        // If the node cannot fit all pods, the controller would wait for unschedulable surge pods and keep the old
        // pods.
        editor.set(surge, 0);
        editor.set(unavailable, "100%");
        return;
    }
    const Json* max_surge = find(editor.object(), surge);
    if (max_surge ? is_zero_pods(*max_surge) : !limits->surges_by_default) return;
    const Json* allowed = find(editor.object(), unavailable);
    const int replicas = static_cast<int>(number_at(editor.object(), {"spec", "replicas"}, 1));
    const int count = max_unavailable_count(allowed ? *allowed : Json("25%"), replicas);
    editor.set(surge, 0);
    editor.set(unavailable, count);
}

int max_unavailable_count(const Json& max_unavailable, int replicas) {
    int allowed = 0;
    if (max_unavailable.is_number_integer()) {
        allowed = max_unavailable.get<int>();
    } else if (max_unavailable.is_string()) {
        std::string_view text = max_unavailable.get_ref<const std::string&>();
        const bool is_percentage = text.ends_with('%');
        if (is_percentage) text.remove_suffix(1);
        const int number = parse_integer<int>(text).value_or(0);
        allowed = is_percentage ? number * replicas / 100 : number;
    }
    return std::max(1, allowed);
}

}  // namespace cudafault::kube
