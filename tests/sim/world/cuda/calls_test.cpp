// Calls reach the library behind, whoever listens hears of those that went well, and nobody need listen.
#include "sim/world/cuda/calls.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <nccl.h>

#include <sstream>
#include <string>

extern "C" {
extern int fake_calls;
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, size_t shared, cudaStream_t stream);
}

namespace reloadlab::sim::cuda {
namespace {

template <class Type>
Type handle(uintptr_t number) {
  return reinterpret_cast<Type>(number);
}

// What was heard, in a line each.
class Notes final : public CallListener {
 public:
  Notes() { reloadlab_listen_to_calls(this); }
  ~Notes() override { reloadlab_listen_to_calls(nullptr); }
  std::string text() const { return out_.str(); }

  void recorded(Handle event, Handle stream) override { out_ << "record " << event << " " << stream << "\n"; }
  void waits(Handle stream, Handle event) override { out_ << "wait " << stream << " " << event << "\n"; }
  void came_to(Handle event) override { out_ << "came to " << event << "\n"; }
  void came_to_end_of(Handle stream) override { out_ << "end of " << stream << "\n"; }
  void came_to_end_of_all() override { out_ << "end of all\n"; }
  void destroyed(Handle event) override { out_ << "destroyed " << event << "\n"; }
  void issued(const char* what, Handle stream) override { out_ << what << " " << stream << "\n"; }
  void begins_capture(Handle stream) override { out_ << "begins " << stream << "\n"; }
  void ended_capture(Handle stream, Handle graph) override { out_ << "ended " << stream << " " << graph << "\n"; }
  void instantiated(Handle executable, Handle graph) override { out_ << "made " << executable << " " << graph << "\n"; }
  void launched(Handle executable, Handle stream) override { out_ << "launched " << executable << " " << stream << "\n"; }
  void sends(const char* operation, Handle communicator, const std::vector<Piece>& pieces, Handle stream) override {
    out_ << operation << " " << communicator << " " << stream;
    for (const Piece& each : pieces) out_ << (each.writes ? " writes " : " reads ") << each.address << " " << each.bytes;
    out_ << "\n";
  }

 private:
  std::ostringstream out_;
};

const auto stream = handle<cudaStream_t>(0x10);
const auto event = handle<cudaEvent_t>(0x20);

TEST(Calls, GoOnToTheLibraryWhereNobodyListens) {
  const int before = fake_calls;
  EXPECT_EQ(cudaEventRecord(event, stream), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(nullptr), cudaErrorNotReady);
  EXPECT_EQ(fake_calls, before + 2);
}

TEST(Calls, AreHeardWhereTheyWentWell) {
  const Notes notes;
  cudaEventRecord(event, stream);
  cudaEventQuery(event);
  cudaEventQuery(nullptr);
  cudaStreamWaitEvent(stream, event, 0);
  cudaStreamWaitEvent(stream, nullptr, 0);
  cudaMemcpyAsync(nullptr, nullptr, 8, cudaMemcpyDefault, stream);
  EXPECT_EQ(notes.text(), "record 0x20 0x10\ncame to 0x20\nwait 0x10 0x20\na copy 0x10\n");
}

TEST(Calls, HandKernelsOnWithAllTheirArguments) {
  const Notes notes;
  EXPECT_EQ(__cudaLaunchKernel(nullptr, {1, 2, 3}, {4, 5, 6}, nullptr, 7, stream), cudaSuccess);
  EXPECT_EQ(notes.text(), "a kernel 0x10\n");
}

TEST(Calls, EndCapturesHoweverTheyEnd) {
  const Notes notes;
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream, &graph);
  cudaStreamEndCapture(nullptr, &graph);
  EXPECT_EQ(notes.text(), "ended 0x10 0x77\nended 0 0\n");
}

// The rank is 1, as the library says.
TEST(Calls, SayWhichBytesABroadcastTouches) {
  const Notes notes;
  const auto communicator = handle<ncclComm_t>(0x30);
  void *const here = handle<void*>(0x100), *const there = handle<void*>(0x200);
  ncclBroadcast(here, here, 4, ncclBfloat16, 0, communicator, stream);
  ncclBroadcast(here, here, 4, ncclFloat32, 1, communicator, stream);
  ncclBroadcast(here, there, 4, ncclInt8, 1, communicator, stream);
  EXPECT_EQ(notes.text(),
            "broadcast 0x30 0x10 writes 0x100 8\n"
            "broadcast 0x30 0x10 reads 0x100 16\n"
            "broadcast 0x30 0x10 reads 0x100 4 writes 0x200 4\n");
}

}  // namespace
}  // namespace reloadlab::sim::cuda
