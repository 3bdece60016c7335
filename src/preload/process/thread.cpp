// SPDX-License-Identifier: Apache-2.0
#include "preload/process/thread.hpp"

namespace cudafault {

__thread ThreadState this_thread __attribute__((tls_model("initial-exec")));

}  // namespace cudafault
