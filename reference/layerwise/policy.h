#pragma once
// What a layerwise reload does where implementations differ, one enum a question. A profile is a filled-in struct; a spelling is a
// profile and changes to it: "hardened,abort=unusable", "seed,unloaded=preserve". Parsing, spelling and what a candidate declares
// all walk one table (policy.cpp).
//
// This header names no LibTorch header.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reference/base/status.h"

namespace reloadlab::layerwise {

// How far a layer has come.
enum class Completion {
  numel,     // the sum of element counts of the copies that loaders issue (LW5)
  elements,  // the set of distinct destination elements that loaders wrote
};

// What is processed together.
enum class Grouping {
  layer,    // each layer alone; a tied tensor has a placeholder on each of its layers (LW8)
  storage,  // layers whose tensors share storage, as one
};

// What an element holds that no load wrote.
enum class Unloaded {
  uninitialized,  // whatever the fresh allocation held
  preserve,       // its declared value, or the kernel's where the post-load step permutes at most; otherwise the layer is refused
};

// Copies of what was loaded, of tensors whose post-load step does more than permute.
enum class ShadowCopies {
  none,  // such a layer has to come whole
  keep,  // one copy in checkpoint layout, from which an update that brings only a part is completed
};

// Who owns the bytes of a buffered load, when the transport says that it reuses its buffers.
enum class Buffering {
  by_reference,  // the transport: the tensor is kept as it came
  owned,         // the reload: it keeps a copy
};

// How placeholders and kernel tensors get into a layer's slots.
enum class Names {
  reregister,  // deleted and registered again: order changes around empty slots, persistence is lost
  keep,        // the handle in the slot is exchanged
};

// What stands in for a layer's tensors while it is armed.
enum class Records {
  lent,    // the recorded placeholders themselves, which loaders and wrappers then change
  sealed,  // placeholders made from the record, one per handle; views of one storage stay views of one storage
};

// Layout of the recorded placeholders.
enum class Layout {
  dense,  // what a copy to the meta device keeps: strides of dense tensors only
  exact,  // sizes, strides and offset as they are
};

// Loads that are not what was expected: excess, missing, unexpected.
enum class Coverage {
  silent,  // accepted and not reported
  accept,  // accepted and reported
  warn,    // accepted, reported and warned about
  reject,  // reported and refused
};

// What becomes of an update that does not reach its end.
enum class Abort {
  none,      // there is no abort
  backup,    // the old weights come back, bit for bit: kernel bytes of what was committed are kept until finish
  unusable,  // no copy is kept: once a layer was committed the model is unusable until a full update has succeeded
};

// Calls that come out of order, and loads through handles from another time.
enum class Misuse {
  undefined,  // what happens, happens
  error,      // Code::misuse, and nothing changes
};

// From processed tensors back into kernel tensors.
enum class CopyBack {
  coerce,  // broadcasts and casts in silence; a missing name stops half-way
  exact,   // every name, shape and dtype is compared before the first byte is written; what fails later is undone
};

// A load call whose loader or processing fails.
enum class FailedLoad {
  keep,  // its buffered entry stays
  undo,  // it leaves no trace, so that the caller may send it again
};

// Loads onto layers whose post-load step is deferred (attention).
enum class Scales {
  unsupported,  // an error at finish, if any element was counted
  reload,       // processed at finish, before the layer's own step
};

// Tensors of skipped names, and tensors of skipped classes.
enum class Skipped {
  wrapped,  // they stay on the device but get the wrapper, and their elements are waited for
  live,     // they stay on the device while the layer is armed, and are waited for only if the first load wrote them
};

// When the deferred layers' own steps run, and where their results go.
enum class Derived {
  in_turn,   // when finish comes to the layer; a result replaces the tensor that was there
  in_place,  // after all other layers; a result is copied into the tensor that was there
};

// The own step of a deferred layer that got nothing. Under derived=in_place only.
enum class OwnSteps {
  always,
  needed,  // not where it reads no other layer either: it would derive what is there, and ask the device for it
};

// A load call of which this rank takes nothing: whole experts of other ranks, say.
enum class Declined {
  keep,  // it is buffered like any other, before the loader has said so
  drop,  // its loader is asked first, and nothing is kept
};

// What post-load steps find the process set to.
enum class Settings {
  ambient,   // whatever surrounds the reload
  recorded,  // what it was when the model was recorded
};

// Who keeps the state of armed layers alive.
enum class Lifetime {
  registry,  // the registry, by layer; wrappers keep their layer
  model,     // the model: when it dies, so does everything that the reload kept
};

// How loads reach the kernel tensors of a layer that has no post-load step, if their loaders only copy.
enum class Landing {
  materialized,  // like any others': through tensors made anew when the layer is complete
  whole,         // straight from where they lie, when the layer is complete
  direct,        // straight from where they lie, as they come; nothing is buffered
};

// Where small copies that land wait for one another, to go out as one operator.
enum class Gather {
  on_accelerators,  // there a launch costs more than their bytes
  everywhere,
};

// A loader may say which boxes it copies, for good (model::Loader::boxes).
enum class Boxes {
  called,    // it is called all the same
  declared,  // it is asked once for each parameter, shard and expert, and then not called
};

// What a sleep (memory that is unmapped while its addresses stay) means to the reload.
enum class Sleep {
  unheard,  // nothing: updates go where they always go, and of contents that are lost only those come back that an update brings
  kept,     // updates are refused meanwhile; what no checkpoint brings is kept on the host where contents are lost
};

struct LayerwisePolicy {
  Completion completion = Completion::numel;
  Grouping grouping = Grouping::layer;
  Unloaded unloaded = Unloaded::uninitialized;
  ShadowCopies shadow = ShadowCopies::none;
  Buffering buffering = Buffering::by_reference;
  Names names = Names::reregister;
  Records records = Records::lent;
  Layout layout = Layout::dense;
  Coverage excess = Coverage::silent;
  Coverage missing = Coverage::silent;
  Coverage unexpected = Coverage::silent;
  Abort abort = Abort::none;
  Misuse misuse = Misuse::undefined;
  CopyBack copy_back = CopyBack::coerce;
  FailedLoad failed_load = FailedLoad::keep;
  Scales scales = Scales::unsupported;
  Skipped skipped = Skipped::wrapped;
  Derived derived = Derived::in_turn;
  OwnSteps own_steps = OwnSteps::always;
  Declined declined = Declined::keep;
  Settings settings = Settings::ambient;
  Landing landing = Landing::materialized;
  Gather gather = Gather::on_accelerators;
  Boxes boxes = Boxes::called;
  Sleep sleep = Sleep::unheard;
  Lifetime lifetime = Lifetime::registry;

  static LayerwisePolicy seed() { return {}; }
  static LayerwisePolicy hardened();
  bool operator==(const LayerwisePolicy&) const = default;
};

// "seed", "hardened,abort=unusable"; Code::usage with the nearest spelling when a word is unknown or a combination cannot work.
Result<LayerwisePolicy> parse_policy(std::string_view text);
// The shortest spelling that parse_policy() reads back: the nearer profile and what differs from it.
std::string spell_policy(const LayerwisePolicy& policy);
// Every policy by name, as candidates declare them.
std::map<std::string, std::string> declared_policies(const LayerwisePolicy& policy);
std::map<std::string, std::set<std::string>> policy_choices();  // what these may be

std::vector<std::string_view> policy_profiles();

}  // namespace reloadlab::layerwise
