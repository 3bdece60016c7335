// SPDX-License-Identifier: Apache-2.0
#include "kube/record/delivery.hpp"

#include <array>
#include <utility>

namespace cudafault::kube {

namespace {

constexpr std::array<std::pair<Delivery, const char*>, 3> kDeliveries = {
    {{Delivery::kBinary, "binary"}, {Delivery::kSource, "source"}, {Delivery::kImage, "image"}}};

}  // namespace

std::string text_of(Delivery delivery) {
    for (const auto& [value, text] : kDeliveries) {
        if (value == delivery) return text;
    }
    return "";
}

std::optional<Delivery> delivery_of(const std::string& text) {
    for (const auto& [value, name] : kDeliveries) {
        if (text == name) return value;
    }
    return {};
}

}  // namespace cudafault::kube
