#pragma once
// Text that came from elsewhere (a candidate's messages) and bytes as text.
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace reloadlab::sim {

bool is_utf8(std::string_view text);
std::string first_line(std::string_view text);  // LibTorch's messages go on with a stack
std::string valid_utf8(std::string_view text);  // bytes that are not UTF-8 become '?'

// Of a race's witness: "wrong bytes in one of the two orders: fc on rank 1 in step 2", "benign in both orders".
std::string in_both_orders(std::string_view witness, std::string_view reader);

std::string base64(std::span<const std::byte> bytes);
std::optional<std::vector<std::byte>> from_base64(std::string_view text);  // strict: padded, no white space

}  // namespace reloadlab::sim
