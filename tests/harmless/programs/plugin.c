// SPDX-License-Identifier: Apache-2.0
// A plugin that calls a function which the program has too: which of the two it gets shows how it was bound.
const char* answer(void) { return "its own"; }

const char* ask(void) { return answer(); }

#ifdef MENTION
const char* mention(void) { return MENTION; }
#endif
