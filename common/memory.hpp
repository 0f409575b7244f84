// Gives memory back to the system.
#pragma once

namespace trimtab {

// Returns free heap, and lets go of the pages of code and constants that were read from files:
// those that are needed again are mapped again, from the page cache, at the price of a minor fault
// each. What ran at start or in a deployment would else stay resident for weeks.
void release_unused_memory();

}  // namespace trimtab
