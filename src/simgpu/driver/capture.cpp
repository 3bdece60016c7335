// SPDX-License-Identifier: Apache-2.0
#include "simgpu/driver/capture.hpp"

#include <algorithm>

#include "simgpu/driver/graph.hpp"

namespace cudafault::sim {
namespace {

thread_local int t_mode = kCaptureGlobal;

bool prohibits_unsafe_calls(const Capture& capture) {
    if (t_mode == kCaptureRelaxed) return false;
    if (capture.thread == thread_number()) return capture.mode != kCaptureRelaxed;
    return t_mode == kCaptureGlobal && capture.mode == kCaptureGlobal;
}

bool has_blocking_member(const Capture& capture, const Context& context) {
    return std::any_of(capture.members.begin(), capture.members.end(), [&](const Stream* member) {
        return member->context == &context && !(member->flags & kNonBlockingStream);
    });
}

bool has_member_of(const Capture& capture, const Context& context) {
    return std::any_of(capture.members.begin(), capture.members.end(),
                       [&](const Stream* member) { return member->context == &context; });
}

template <typename Predicate>
Result invalidate_if(State& s, Result error, Predicate predicate) {
    Result result = kSuccess;
    for (Capture* capture : s.captures) {
        if (predicate(*capture)) result = invalidate(*capture, error);
    }
    return result;
}

}  // namespace

int& thread_capture_mode() { return t_mode; }

Result invalidate(Capture& capture, Result error) {
    capture.invalid = true;
    return error;
}

Result check_unsafe_call(State& s) { return invalidate_if(s, kStreamCaptureUnsupported, prohibits_unsafe_calls); }

Result check_legacy_use(State& s, const Stream& stream) {
    return invalidate_if(s, kStreamCaptureImplicit, [&](const Capture& capture) {
        return stream.shared_default && has_blocking_member(capture, *stream.context);
    });
}

bool is_blocked_by_capture(const State& s, const Stream& stream) {
    return stream.shared_default && std::any_of(s.captures.begin(), s.captures.end(), [&](const Capture* capture) {
               return has_blocking_member(*capture, *stream.context);
           });
}

Result check_context_wait(State& s, const Context& context) {
    return invalidate_if(s, kStreamCaptureUnsupported,
                         [&](const Capture& capture) { return has_member_of(capture, context); });
}

bool are_streams_joined(const State& s, const Capture& capture) {
    std::set<const Node*> reached;
    std::vector<const Node*> remaining(capture.origin->tail.begin(), capture.origin->tail.end());
    while (!remaining.empty()) {
        const Node* node = remaining.back();
        remaining.pop_back();
        // The program may have destroyed the node.
        if (!s.nodes.has(node) || !reached.insert(node).second) continue;
        remaining.insert(remaining.end(), node->dependencies.begin(), node->dependencies.end());
    }
    return std::all_of(capture.members.begin(), capture.members.end(), [&](const Stream* member) {
        return std::all_of(member->tail.begin(), member->tail.end(),
                           [&](const Node* node) { return !s.nodes.has(node) || reached.count(node); });
    });
}

}  // namespace cudafault::sim
