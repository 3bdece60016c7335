// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace cudafault::kube {

// How the library reaches the pods: from a ConfigMap, compiled from source by an init container, or from the image.
enum class Delivery { kBinary, kSource, kImage };

std::string text_of(Delivery delivery);                        // "binary", "source", "image"
std::optional<Delivery> delivery_of(const std::string& text);  // std::nullopt for any other text

}  // namespace cudafault::kube
