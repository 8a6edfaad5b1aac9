#pragma once
// What an online-quantization reload does where implementations differ. Spellings, profiles and tables: reference/base/policy_table.h.
//
// This header names no LibTorch header.
#include "reference/layerwise/policy.h"

namespace reloadlab::online_quant {

using layerwise::Abort;
using layerwise::Coverage;
using layerwise::ShadowCopies;

// What is restored, loaded, quantized and copied back in one go.
enum class Scope {
  model,  // every layer at once: the whole model lies there in high precision and quantized again, beside what is running
  layer,  // layers that are complete, one after the other
};

// Tensors that quantization itself makes (scales, zero points).
enum class Created {
  rebound,   // those of the update take the place of the ones that were there: addresses move
  in_place,  // values are copied into the ones that were there
};

// Names that share one tensor.
enum class Ties {
  first,  // only the first name is recorded and restored
  all,    // every name is, and they share the restored tensor too
};

// Loaders that are free functions.
enum class Callables {
  bound,  // bound to the restored parameter, as methods are: called with one argument too many
  kept,   // put back as they were
};

// Parameters that were restored, once quantization has taken their place.
enum class Restored {
  held,     // an update is one call, whose local names keep the last to its end; one whose loader is bound to it keeps itself
  dropped,  // they go
};

struct OnlineQuantPolicy {
  Scope scope = Scope::model;
  Created created = Created::rebound;
  Ties ties = Ties::first;
  Callables callables = Callables::bound;
  Restored restored = Restored::held;
  // As in layerwise reload; scope=layer only.
  Coverage excess = Coverage::silent;
  Coverage missing = Coverage::silent;
  Coverage unexpected = Coverage::silent;
  Abort abort = Abort::none;
  ShadowCopies shadow = ShadowCopies::none;

  static OnlineQuantPolicy seed() { return {}; }
  static OnlineQuantPolicy hardened();
  // What the layers are reloaded with. REQUIRES scope=layer.
  layerwise::LayerwisePolicy of_layers() const;
  bool operator==(const OnlineQuantPolicy&) const = default;
};

Result<OnlineQuantPolicy> parse_policy(std::string_view text);
std::string spell_policy(const OnlineQuantPolicy& policy);
// Every policy by name, those of the layers included.
std::map<std::string, std::string> declared_policies(const OnlineQuantPolicy& policy);
std::map<std::string, std::set<std::string>> policy_choices();  // what its own may be
std::vector<std::string_view> policy_profiles();

}  // namespace reloadlab::online_quant
