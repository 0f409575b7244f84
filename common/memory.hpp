// Returns memory to the system.
#pragma once

namespace trimtab {

// Returns free heap, and unmaps clean pages of code and constants. Pages needed again are mapped
// from the page cache at the cost of a minor fault each. Otherwise everything used at startup or in
// a deployment would stay resident for weeks.
void release_unused_memory();

}  // namespace trimtab
