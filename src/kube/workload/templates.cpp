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

constexpr const char* kMainContainer = "main";  // the name that the Dynamo operator uses

struct Segment {
    std::string field;
    std::string item;  // `*`: every item
};

struct Place {
    std::string name;
    Path path;
};

// The places that a pattern matches. If no place matches, `failure` contains the reason.
struct Expansion {
    std::vector<Place> places;
    std::string failure;
};

std::string contents_text(const Json& value) {
    if (!value.is_object()) return fmt::format("it is {}", value.is_array() ? "a list" : "not an object");
    std::vector<std::string> names;
    for (const auto& [name, field] : value.items()) names.push_back(name);
    return names.empty() ? "it is empty" : fmt::format("it has {}", fmt::join(names, ", "));
}

std::string location_text(const Path& path) { return path.empty() ? "the object" : path.text(); }

[[noreturn]] void throw_invalid_path(const std::string& path) {
    throw Error(fmt::format(
        "invalid template path \"{}\": expected a path such as spec.template or spec.groups[*].template", path));
}

Segment segment_from(const std::string& text, const std::string& path) {
    const size_t bracket = text.find('[');
    Segment segment{text.substr(0, bracket), ""};
    if (bracket != std::string::npos) {
        const size_t end = text.find(']', bracket);
        if (end != text.size() - 1) throw_invalid_path(path);
        segment.item = text.substr(bracket + 1, end - bracket - 1);
        if (segment.item.empty()) throw_invalid_path(path);
    }
    if (segment.field.empty()) throw_invalid_path(path);
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

// Returns the field that identifies an item in its list.
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

Expansion expand_segment(const Json& object, const Place& from, const Segment& segment) {
    const Json* parent = find(object, from.path);
    const Place at{from.name, from.path / segment.field};
    const Json* value = find(object, at.path);
    if (!value) {
        return {{}, fmt::format("{} has no {} ({})", location_text(from.path), segment.field, contents_text(*parent))};
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
            const Expansion more = expand_segment(object, place, segment);
            next.places.insert(next.places.end(), more.places.begin(), more.places.end());
            if (next.failure.empty()) next.failure = more.failure;
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

// Returns the annotations of the pods that a template creates. They are next to the pod spec or, for a Grove clique,
// above it.
const Json& annotations_of(const Json& object, const Path& pod_spec) {
    const Path beside = pod_spec.parent();
    const Json& own = at_or_null(object, beside / "metadata" / "annotations");
    return own.is_object() || beside.empty() ? own : at_or_null(object, beside.parent() / "annotations");
}

void add_containers(std::vector<ContainerSite>& sites, const Json& spec, const Path& list, bool sidecars,
                    const KnownDevices& known) {
    const Json& containers = value_at(spec, list.last().field.c_str());
    if (!containers.is_array()) return;
    const bool is_init_list = list.last().field == "initContainers";
    for (const Json& container : containers) {
        const std::string name = text_at(container, "name");
        const bool is_sidecar = text_at(container, "restartPolicy") == "Always";
        if (name.empty() || (is_init_list && is_sidecar != sidecars)) continue;
        const Path at = list.item(name);
        const GpuUse use = gpu_use(container, spec, known);
        sites.push_back({name, at, at / "env", {}, use.has_gpu, "", use.note});
    }
}

TemplateSite pod_site(const Json& object, const std::string& name, const Path& pod_spec, const KnownDevices& known) {
    TemplateSite site{name, pod_spec, {}};
    const Json& spec = at_or_null(object, pod_spec);
    add_containers(site.containers, spec, pod_spec / "containers", false, known);
    add_containers(site.containers, spec, pod_spec / "initContainers", true, known);
    add_containers(site.init_containers, spec, pod_spec / "initContainers", false, known);
    const std::string sharing = container_with_share(annotations_of(object, pod_spec), spec);
    for (ContainerSite& container : site.containers) container.has_gpu |= container.name == sharing;
    return site;
}

bool is_one_of(const std::string& text, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* word) { return text == word; });
}

bool has_gpu(const TemplateSite& site) {
    return std::any_of(site.containers.begin(), site.containers.end(),
                       [](const ContainerSite& container) { return container.has_gpu; });
}

// Uses the type and not the component's name, which users choose. A component of an unknown type is treated as a
// worker if it has GPUs.
void skip_unless_worker(TemplateSite& site, const std::string& type, const std::string& sub_type) {
    if (is_one_of(type, {"worker", "prefill", "decode"})) return;
    const bool is_known = is_one_of(type, {"frontend", "planner", "epp", "router"});
    if (!is_known && is_one_of(sub_type, {"prefill", "decode"}) && is_one_of(type, {"", "default"})) return;
    const std::string type_text = type.empty() ? "no type" : fmt::format("type {}", type);
    if (is_known || !has_gpu(site)) {
        site.skip_reason = fmt::format("component {} has {}{}, so it is not injected", site.name, type_text,
                                       is_known ? "" : " and requests no GPU");
    } else {
        site.note =
            fmt::format("component {} has {} and requests a GPU, so it is treated as a worker", site.name, type_text);
    }
}

TemplateSite component_site(const Json& object, const Place& place, const KnownDevices& known) {
    TemplateSite site = pod_site(object, place.name, place.path / "podTemplate" / "spec", known);
    for (ContainerSite& container : site.containers) {
        if (container.name == kMainContainer) container.weaker_env = {Path{"spec", "env"}};
    }
    skip_unless_worker(site, text_at(at_or_null(object, place.path), "type"), "");
    return site;
}

// The operator translates these amounts to nvidia.com/gpu, or to the resource in `gpuType`.
bool has_gpu_amount(const Json& amounts, const KnownDevices& known) {
    const std::string type = text_at(amounts, "gpuType");
    if (!is_zero(value_at(amounts, "gpu")) && (type.empty() || device_of_resource(type) >= Device::kUnknown)) {
        return true;
    }
    return gpu_use_of_resources({{"limits", value_at(amounts, "custom")}}, nullptr, known).has_gpu;
}

bool is_gpu_service(const Json& service, const Json& pod_spec, const KnownDevices& known) {
    const Json& resources = value_at(service, "resources");
    if (has_gpu_amount(value_at(resources, "limits"), known) ||
        has_gpu_amount(value_at(resources, "requests"), known)) {
        return true;
    }
    return gpu_use_of_resources({{"claims", value_at(resources, "claims")}}, pod_spec, known).has_gpu ||
           gpu_use(value_at(pod_spec, "mainContainer"), pod_spec, known).has_gpu;
}

TemplateSite service_site(const Json& object, const Place& place, const KnownDevices& known) {
    const Json& service = at_or_null(object, place.path);
    const Path pod_spec = place.path / "extraPodSpec";
    const Path main = pod_spec / "mainContainer";
    TemplateSite site = pod_site(object, place.name, pod_spec, known);
    const bool gpu = is_gpu_service(service, value_at(service, "extraPodSpec"), known);
    site.containers.insert(site.containers.begin(), ContainerSite{kMainContainer,
                                                                  main,
                                                                  place.path / "envs",
                                                                  {Path{"spec", "envs"}, main / "env"},
                                                                  gpu,
                                                                  text_at(service, "envFromSecret")});
    skip_unless_worker(site, text_at(service, "componentType"), text_at(service, "subComponentType"));
    return site;
}

TemplateSite site_at(const Json& object, const Place& place, Shape shape, const KnownDevices& known) {
    switch (shape) {
        case Shape::kGraphComponent: return component_site(object, place, known);
        case Shape::kGraphService: return service_site(object, place, known);
        case Shape::kPodSpec: return pod_site(object, place.name, place.path, known);
        case Shape::kTemplate: break;
    }
    return pod_site(object, place.name, place.path / "spec", known);
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
        "{} of {} is not a pod template: it has neither spec.containers nor containers ({}); give the path of {}",
        path.text(), text, contents_text(value), "the object that contains one of these fields"));
}

// Returns the last meaningful field of a path: `worker` for spec.worker.template.
std::string distinguishing_field(const Path& path) {
    const auto& steps = path.steps();
    const auto found = std::find_if(steps.rbegin(), steps.rend(), [](const Step& step) {
        return !is_one_of(step.field, {"template", "podTemplate", "podTemplateSpec", "podSpec", "spec"});
    });
    return found == steps.rend() ? "" : found->field;
}

void make_names_unique(std::vector<TemplateSite>& sites) {
    std::map<std::string, int> count;
    for (const TemplateSite& site : sites) ++count[site.name];
    for (TemplateSite& site : sites) {
        if (count[site.name] > 1) site.name = site.pod_spec.text();
    }
}

}  // namespace

std::vector<TemplateSite> sites_of(const Json& object, const std::vector<TemplatePattern>& patterns,
                                   const KnownDevices& known) {
    std::vector<TemplateSite> sites;
    for (const TemplatePattern& pattern : patterns) {
        for (Place place : expand(object, pattern.path).places) {
            if (place.name.empty()) place.name = pattern.name;
            if (!at_or_null(object, place.path).is_object()) continue;
            add_once(sites, site_at(object, place, pattern.shape, known));
        }
    }
    return sites;
}

std::vector<TemplateSite> sites_of_paths(const Json& object, const std::vector<std::string>& paths,
                                         const std::string& text, const KnownDevices& known) {
    std::vector<TemplateSite> sites;
    for (const std::string& path : paths) {
        const Expansion expansion = expand(object, path);
        if (expansion.places.empty()) {
            throw Error(fmt::format("invalid template path \"{}\" of {}: {}; give the path of its pod template", path,
                                    text, expansion.failure));
        }
        for (Place place : expansion.places) {
            if (place.name.empty() && paths.size() > 1) place.name = distinguishing_field(place.path);
            add_once(sites, site_at(object, place, shape_at(object, place.path, text), known));
        }
    }
    make_names_unique(sites);
    return sites;
}

}  // namespace cudafault::kube
