#pragma once
// Readers of bytes that nobody vouches for, each as a function from bytes: whatever they are, it comes back, and what it took is whole:
// written down and read again it is the same. What is not ends the process (RELOADLAB_CHECK), as a sanitizer's complaint does.
#include <span>
#include <string>
#include <string_view>

#include "reference/base/status.h"

namespace reloadlab::tests {

struct Reader {
  std::string_view name;  // also of its folder of inputs
  Status (*read)(std::string_view bytes);
};
std::span<const Reader> readers();
const Reader& find_reader(std::string_view name);  // REQUIRES that there is one

// Ok where the bytes were taken; otherwise what the reader says of them.
Status read_scenario(std::string_view bytes);
Status read_safetensors(std::string_view bytes);
Status read_index(std::string_view bytes);
Status read_token(std::string_view bytes);
Status read_expectations(std::string_view bytes);
Status read_config(std::string_view bytes);

// The bytes as a file of that name, in a folder of this process, which goes with it.
std::string as_file(std::string_view name, std::string_view bytes);

}  // namespace reloadlab::tests
