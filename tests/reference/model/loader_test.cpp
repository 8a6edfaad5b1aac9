#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "tests/reference/model/fixture.h"

namespace reloadlab::model {
namespace {

Parameter zeros(at::IntArrayRef shape) {
  Parameter parameter;
  parameter.tensor = at::zeros(shape);
  return parameter;
}

LoaderPtr naming_loader(const LayerPtr& self, std::string& seen) {
  return method_loader(
      "weight_loader", [&seen](Layer* layer, Parameter&, const at::Tensor&, const LoadArgs&) { return seen = layer->path(), Status(); },
      self);
}

TEST(Loader, a_method_gets_the_layer_that_it_is_bound_to) {
  auto first = std::make_shared<Layer>(LayerSpec{.name = "first"}, "L"), second = std::make_shared<Layer>(LayerSpec{.name = "second"}, "L");
  std::string seen;
  LoaderPtr loader = naming_loader(first, seen);
  Parameter destination = zeros({1});
  EXPECT_TRUE((*loader)(destination, destination.tensor, {}).ok());
  EXPECT_EQ(seen, "first");
  EXPECT_TRUE((*bind_loader(loader, second))(destination, destination.tensor, {}).ok());
  EXPECT_EQ(seen, "second");
}

TEST(Loader, an_unbound_method_and_one_whose_layer_died_are_misuse) {
  auto layer = std::make_shared<Layer>(LayerSpec{.name = "first"}, "L");
  std::string seen;
  LoaderPtr loader = naming_loader(layer, seen);
  Parameter destination = zeros({1});
  EXPECT_EQ((*unbind_loader(loader))(destination, destination.tensor, {}).code(), Code::misuse);
  layer.reset();
  EXPECT_EQ((*loader)(destination, destination.tensor, {}).code(), Code::misuse);
}

TEST(Loader, a_loader_does_not_keep_its_layer_alive) {
  auto layer = std::make_shared<Layer>(LayerSpec{.name = "first"}, "L");
  std::string seen;
  LoaderPtr loader = naming_loader(layer, seen);
  EXPECT_EQ(layer.use_count(), 1);
}

TEST(Loader, binding_a_free_function_changes_nothing) {
  EXPECT_EQ(bind_loader(default_weight_loader(), std::make_shared<Layer>(LayerSpec{}, "L")), default_weight_loader());
  EXPECT_EQ(unbind_loader(nullptr), nullptr);
}

TEST(DefaultLoader, copies_equal_shapes_and_refuses_others) {
  Parameter destination = zeros({2, 3});
  EXPECT_TRUE((*default_weight_loader())(destination, at::ones({2, 3}), {}).ok());
  EXPECT_EQ(values_of(destination.tensor), std::vector<double>(6, 1.0));
  EXPECT_EQ((*default_weight_loader())(destination, at::ones({3}), {}).message(),
            "cannot load a tensor of shape [3] into a parameter of shape [2, 3]");
}

TEST(DefaultLoader, fills_one_element_whatever_the_shapes) {
  Parameter destination = zeros({1});
  EXPECT_TRUE((*default_weight_loader())(destination, at::ones({}), {}).ok());
  EXPECT_EQ(values_of(destination.tensor), std::vector<double>{1.0});
}

struct CountingListener : LoaderListener {
  Status leave(const Loader& loader, Parameter&, const Status& outcome) override {
    names.push_back(loader.name);
    return fail_next ? Status(Code::failed, "on purpose") : outcome;
  }
  std::vector<std::string> names;
  bool fail_next = false;
};

TEST(LoaderListener, hears_own_loaders_but_not_wrappers_and_may_fail_them) {
  Parameter destination = zeros({2});
  Loader wrapper = *free_loader("wrapper", [](Layer*, Parameter& to, const at::Tensor& from, const LoadArgs& args) {
    return (*default_weight_loader())(to, from, args);
  });
  wrapper.wrapped = default_weight_loader();
  CountingListener listener;
  LoaderScope scope(listener);
  EXPECT_TRUE(wrapper(destination, at::ones({2}), {}).ok());
  EXPECT_EQ(listener.names, std::vector<std::string>{"default_weight_loader"});
  listener.fail_next = true;
  EXPECT_EQ(wrapper(destination, at::zeros({2}), {}).message(), "on purpose");
  EXPECT_EQ(values_of(destination.tensor), std::vector<double>(2, 0.0));
}

}  // namespace
}  // namespace reloadlab::model
