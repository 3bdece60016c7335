// SPDX-License-Identifier: Apache-2.0
// Calls, in a plugin, a function that the program defines too. The result shows which definition the call is bound to.
const char* owner(void) { return "its own"; }

const char* call_owner(void) { return owner(); }

#ifdef MENTION
const char* mention(void) { return MENTION; }
#endif
