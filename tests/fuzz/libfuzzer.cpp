// One reader as libFuzzer calls it.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/fuzz/readers.h"

// Before it reads its arguments: one more is the reader's dictionary.
extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  static char dictionary[] = "-dict=" DICTIONARY;
  static std::vector<char*> with(*words, *words + *count);
  with.push_back(dictionary);
  *count = static_cast<int>(with.size());
  with.push_back(nullptr);
  *words = with.data();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  (void)reloadlab::tests::READER({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
