// SPDX-License-Identifier: Apache-2.0
// A plugin that calls a function that the program defines too. The result shows which of the two it is bound to.
const char* answer(void) { return "its own"; }

const char* ask(void) { return answer(); }

#ifdef MENTION
const char* mention(void) { return MENTION; }
#endif
