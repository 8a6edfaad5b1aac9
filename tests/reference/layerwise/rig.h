#pragma once
// The vocabulary of these tests: a model with a reload engine on it, checkpoints by number, and pictures of a model to compare.
#include <gtest/gtest.h>

#include <set>

#include "reference/layerwise/layerwise.h"
#include "reference/model/post_load.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::layerwise {

using model::Delivery;
using model::layer_of;
using model::LayerSpec;
using model::model_of;
using model::ModelSpec;

// What an engine said, in order: "completed a", "excess a.weight 16".
class Heard final : public model::Observer {
 public:
  void on(const model::EngineEvent& event) override;
  int count(const std::string& text) const;  // events that begin with it
  std::vector<std::string> all;
};

// Every name of a model: what it holds, where, and how it is registered.
struct Picture {
  struct Entry {
    std::string path;
    const void* storage = nullptr;
    std::vector<int64_t> sizes, strides;
    std::vector<std::byte> bytes;
    std::string kept;  // persistence, class, attributes, dtype: what must stay
  };
  std::vector<Entry> entries;
  std::vector<std::string> names() const;
};
Picture picture(const model::Model& model);
// Same names in the same order with the same content; says what differs first.
::testing::AssertionResult same_content(const Picture& a, const Picture& b);
// The same at the same addresses, with the same layouts and registration.
::testing::AssertionResult same_in_place(const Picture& a, const Picture& b);

// Checkpoint `number` of a model: every element of every delivery is different from that of any other checkpoint.
at::Tensor weight(const Delivery& delivery, int number);
// What a model holds that was built and loaded with a checkpoint, without an engine.
Picture cold(const ModelSpec& spec, int number, model::TensorParallel tp = {});

class Rig {
 public:
  explicit Rig(const ModelSpec& spec, const std::string& policy = "hardened", LayerwiseOptions options = {}, model::TensorParallel tp = {});

  // record, checkpoint 1, post-load processing
  void start();
  Status prepare() { return engine->prepare(*model); }
  Status finish() { return engine->finish(*model, DType::f32); }
  Status abort() { return engine->abort(*model); }
  Status send(const std::string& delivery, int number = 2);
  Status send(const std::string& delivery, const at::Tensor& loaded);
  // All deliveries but those named, in order.
  Status send_all(int number = 2, const std::set<std::string>& except = {});
  Status reload(int number, const std::set<std::string>& except = {});
  Picture now() const { return picture(*model); }
  model::ParameterPtr handle(const std::string& path) const { return model->find_tensor(path); }
  bool on_meta(const std::string& path) const { return handle(path)->tensor.is_meta(); }

  ModelSpec spec;
  Heard heard;
  std::unique_ptr<model::Model> model;
  std::unique_ptr<LayerwiseReload> engine;
  std::vector<Delivery> deliveries;
};

// Small layers that many tests need.
LayerSpec linear(const std::string& name, int64_t in = 4, int64_t out = 4, Values more = {});

// A layer with a bias and one without.
ModelSpec two_linears();

}  // namespace reloadlab::layerwise

#define EXPECT_OK(expression)                       \
  do {                                              \
    ::reloadlab::Status status_ = (expression);     \
    EXPECT_TRUE(status_.ok()) << status_.message(); \
  } while (false)
#define EXPECT_CODE(wanted, expression)                                                                     \
  do {                                                                                                      \
    ::reloadlab::Status status_ = (expression);                                                             \
    EXPECT_EQ(::reloadlab::code_name(wanted), ::reloadlab::code_name(status_.code())) << status_.message(); \
  } while (false)
