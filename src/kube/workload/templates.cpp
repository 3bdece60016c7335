// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/templates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kMainContainer = "main";  // as the Dynamo operator calls it

struct Segment {
    std::string field;
    std::string item;  // `*`: each
};

struct Place {
    std::string name;
    Path path;
};

// The places a pattern comes to. Where it comes to none, `obstacle` says why.
struct Expansion {
    std::vector<Place> places;
    std::string obstacle;
};

std::string what_is_there(const Json& value) {
    if (!value.is_object()) return fmt::format("it is {}", value.is_array() ? "a list" : "no object");
    std::vector<std::string> names;
    for (const auto& [name, field] : value.items()) names.push_back(name);
    return names.empty() ? "it is empty" : fmt::format("it has {}", fmt::join(names, ", "));
}

std::string place_text(const Path& path) { return path.empty() ? "the object" : path.text(); }

[[noreturn]] void refuse_path(const std::string& path) {
    throw Error(
        fmt::format("\"{}\" is no path to a pod template: write it as spec.template or spec.groups[*].template", path));
}

Segment segment_from(const std::string& text, const std::string& path) {
    const size_t bracket = text.find('[');
    Segment segment{text.substr(0, bracket), ""};
    if (bracket != std::string::npos) {
        const size_t end = text.find(']', bracket);
        if (end != text.size() - 1) refuse_path(path);
        segment.item = text.substr(bracket + 1, end - bracket - 1);
        if (segment.item.empty()) refuse_path(path);
    }
    if (segment.field.empty()) refuse_path(path);
    return segment;
}

std::vector<Segment> segments_of(const std::string& path) {
    std::vector<Segment> segments;
    for (size_t start = path.starts_with('.') ? 1 : 0;;) {
        const size_t dot = path.find('.', start);
        segments.push_back(segment_from(path.substr(start, dot - start), path));
        if (dot == std::string::npos) return segments;
        start = dot + 1;
    }
}

// The field by which an item is told from the others.
std::optional<std::string> key_of(const Json& item) {
    for (const char* key : {"name", "groupName"}) {
        if (!text_at(item, key).empty()) return key;
    }
    return std::nullopt;
}

std::vector<Place> items_of(const Json& value, const Place& at) {
    std::vector<Place> places;
    const auto add = [&](const std::string& name, const Path& path) {
        places.push_back({at.name.empty() ? name : at.name + "/" + name, path});
    };
    if (value.is_object()) {
        for (const auto& [name, field] : value.items()) add(name, at.path / name);
    } else if (value.is_array()) {
        for (const Json& item : value) {
            const auto key = key_of(item);
            if (key) add(text_at(item, key->c_str()), at.path.item(text_at(item, key->c_str()), *key));
        }
    }
    return places;
}

std::string last_name(const Place& place) { return place.name.substr(place.name.rfind('/') + 1); }

Expansion step(const Json& object, const Place& from, const Segment& segment) {
    const Json* parent = find(object, from.path);
    const Place at{from.name, from.path / segment.field};
    const Json* value = find(object, at.path);
    if (!value) {
        return {{}, fmt::format("{} has no {} ({})", place_text(from.path), segment.field, what_is_there(*parent))};
    }
    if (segment.item.empty()) return {{at}, ""};
    const std::vector<Place> items = items_of(*value, at);
    if (items.empty()) return {{}, fmt::format("{} has no items with a name or groupName", at.path.text())};
    if (segment.item == "*") return {items, ""};
    std::vector<std::string> names;
    for (const Place& item : items) {
        if (last_name(item) == segment.item) return {{item}, ""};
        names.push_back(last_name(item));
    }
    return {{}, fmt::format("{} has no item {} (it has {})", at.path.text(), segment.item, fmt::join(names, ", "))};
}

Expansion expand(const Json& object, const std::string& path) {
    Expansion expansion{{Place{}}, ""};
    for (const Segment& segment : segments_of(path)) {
        Expansion next;
        for (const Place& place : expansion.places) {
            const Expansion more = step(object, place, segment);
            next.places.insert(next.places.end(), more.places.begin(), more.places.end());
            if (next.obstacle.empty()) next.obstacle = more.obstacle;
        }
        if (next.places.empty()) return next;
        expansion = next;
    }
    return expansion;
}

const Json& at_or_null(const Json& object, const Path& path) {
    static const Json null;
    const Json* place = find(object, path);
    return place ? *place : null;
}

TemplateSite pod_site(const Json& object, const std::string& name, const Path& pod_spec, const OtherClaims& others) {
    TemplateSite site{name, pod_spec, {}};
    const Json& spec = at_or_null(object, pod_spec);
    const Json& containers = value_at(spec, "containers");
    if (!containers.is_array()) return site;
    for (const Json& container : containers) {
        const std::string container_name = text_at(container, "name");
        if (container_name.empty()) continue;
        const Path at = (pod_spec / "containers").item(container_name);
        site.containers.push_back({container_name, at, at / "env", {}, has_gpu(container, spec, others)});
    }
    return site;
}

bool is_one_of(const std::string& text, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* word) { return text == word; });
}

// Not by the component's name, which users choose.
bool is_worker(const std::string& type, const std::string& sub_type) {
    if (is_one_of(type, {"worker", "prefill", "decode"})) return true;
    return is_one_of(type, {"", "default"}) && is_one_of(sub_type, {"prefill", "decode"});
}

std::optional<TemplateSite> component_site(const Json& object, const Place& place, const OtherClaims& others) {
    if (!is_worker(text_at(at_or_null(object, place.path), "type"), "")) return std::nullopt;
    TemplateSite site = pod_site(object, place.name, place.path / "podTemplate" / "spec", others);
    for (ContainerSite& container : site.containers) {
        if (container.name == kMainContainer) container.weaker_env = {Path{"spec", "env"}};
    }
    return site;
}

// What the operator makes nvidia.com/gpu, or the resource `gpuType`, of.
bool amounts_have_gpu(const Json& amounts) {
    const std::string type = text_at(amounts, "gpuType");
    if (!is_zero(value_at(amounts, "gpu")) && (type.empty() || is_gpu_resource(type))) return true;
    return resources_have_gpu({{"limits", value_at(amounts, "custom")}}, nullptr);
}

bool service_has_gpu(const Json& service, const Json& pod_spec, const OtherClaims& others) {
    const Json& resources = value_at(service, "resources");
    if (amounts_have_gpu(value_at(resources, "limits")) || amounts_have_gpu(value_at(resources, "requests"))) {
        return true;
    }
    return resources_have_gpu({{"claims", value_at(resources, "claims")}}, pod_spec, others) ||
           has_gpu(value_at(pod_spec, "mainContainer"), pod_spec, others);
}

std::optional<TemplateSite> service_site(const Json& object, const Place& place, const OtherClaims& others) {
    const Json& service = at_or_null(object, place.path);
    if (!is_worker(text_at(service, "componentType"), text_at(service, "subComponentType"))) return std::nullopt;
    const Path pod_spec = place.path / "extraPodSpec";
    const Path main = pod_spec / "mainContainer";
    TemplateSite site = pod_site(object, place.name, pod_spec, others);
    const bool gpu = service_has_gpu(service, value_at(service, "extraPodSpec"), others);
    site.containers.insert(site.containers.begin(), ContainerSite{kMainContainer,
                                                                  main,
                                                                  place.path / "envs",
                                                                  {Path{"spec", "envs"}, main / "env"},
                                                                  gpu,
                                                                  text_at(service, "envFromSecret")});
    return site;
}

std::optional<TemplateSite> site_at(const Json& object, const Place& place, Shape shape, const OtherClaims& others) {
    switch (shape) {
        case Shape::kTemplate: return pod_site(object, place.name, place.path / "spec", others);
        case Shape::kPodSpec: return pod_site(object, place.name, place.path, others);
        case Shape::kGraphComponent: return component_site(object, place, others);
        case Shape::kGraphService: return service_site(object, place, others);
    }
    return std::nullopt;
}

void add_once(std::vector<TemplateSite>& sites, TemplateSite site) {
    const bool known = std::any_of(sites.begin(), sites.end(),
                                   [&](const TemplateSite& other) { return other.pod_spec == site.pod_spec; });
    if (!known) sites.push_back(std::move(site));
}

Shape shape_at(const Json& object, const Path& path, const std::string& text) {
    const Json& value = at_or_null(object, path);
    if (value_at(value_at(value, "spec"), "containers").is_array()) return Shape::kTemplate;
    if (value_at(value, "containers").is_array()) return Shape::kPodSpec;
    throw Error(fmt::format(
        "{} of {} is no pod template: it has neither spec.containers nor containers ({}); give the path of {}",
        path.text(), text, what_is_there(value), "the object that holds one of these"));
}

// The last field of a path that says something: spec.worker.template is the worker's.
std::string telling_field(const Path& path) {
    const auto& steps = path.steps();
    const auto telling = std::find_if(steps.rbegin(), steps.rend(), [](const Step& step) {
        return !is_one_of(step.field, {"template", "podTemplate", "podTemplateSpec", "podSpec", "spec"});
    });
    return telling == steps.rend() ? "" : telling->field;
}

void name_apart(std::vector<TemplateSite>& sites) {
    std::map<std::string, int> count;
    for (const TemplateSite& site : sites) ++count[site.name];
    for (TemplateSite& site : sites) {
        if (count[site.name] > 1) site.name = site.pod_spec.text();
    }
}

}  // namespace

std::vector<TemplateSite> sites_of(const Json& object, const std::vector<TemplatePattern>& patterns,
                                   const OtherClaims& others) {
    std::vector<TemplateSite> sites;
    for (const TemplatePattern& pattern : patterns) {
        for (Place place : expand(object, pattern.path).places) {
            if (place.name.empty()) place.name = pattern.name;
            auto site = at_or_null(object, place.path).is_object() ? site_at(object, place, pattern.shape, others)
                                                                   : std::nullopt;
            if (site) add_once(sites, std::move(*site));
        }
    }
    return sites;
}

std::vector<TemplateSite> sites_of_paths(const Json& object, const std::vector<std::string>& paths,
                                         const std::string& text, const OtherClaims& others) {
    std::vector<TemplateSite> sites;
    for (const std::string& path : paths) {
        const Expansion expansion = expand(object, path);
        if (expansion.places.empty()) {
            throw Error(fmt::format("there is nothing at {} of {}: {}; give the path of its pod template", path, text,
                                    expansion.obstacle));
        }
        for (Place place : expansion.places) {
            if (place.name.empty() && paths.size() > 1) place.name = telling_field(place.path);
            auto site = site_at(object, place, shape_at(object, place.path, text), others);
            if (site) add_once(sites, std::move(*site));
        }
    }
    name_apart(sites);
    return sites;
}

}  // namespace cudafault::kube
