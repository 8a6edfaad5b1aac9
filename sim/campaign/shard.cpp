#include "sim/campaign/shard.h"

#include <fmt/format.h>

namespace reloadlab::sim {
namespace {

constexpr int most = 1 << 20;

Result<int> variable(const Variables& all, const std::string& name, int least) {
  return number_in(all, name, least, most, name + " is not set");
}

Result<Shard> checked(Shard shard) {
  if (shard.index < shard.count) return shard;
  return Status(Code::usage, fmt::format("{}: number {}, counted from 0, of {} shards", shard.said_by, shard.index, shard.count));
}

// Tasks of an array have the numbers that its owner likes.
Result<Shard> of_slurm_array(const Variables& all) {
  RELOADLAB_ASSIGN(const int id, variable(all, "SLURM_ARRAY_TASK_ID", 0));
  RELOADLAB_ASSIGN(const int count, variable(all, "SLURM_ARRAY_TASK_COUNT", 1));
  RELOADLAB_ASSIGN(const int first, variable(all, "SLURM_ARRAY_TASK_MIN", 0));
  RELOADLAB_ASSIGN(const int last, variable(all, "SLURM_ARRAY_TASK_MAX", first));
  const int step = count > 1 ? (last - first) / (count - 1) : 1;
  if (step < 1 || id < first || (id - first) % step != 0 || first + step * (count - 1) != last)
    return Status(Code::usage,
                  fmt::format("SLURM_ARRAY_TASK_ID={} in an array of {} from {} to {}: with gaps that are not alike no task has "
                              "a number of its own, expected --shard",
                              id, count, first, last));
  return checked({(id - first) / step, count, "SLURM_ARRAY_TASK_ID"});
}

Result<std::optional<Shard>> of_environment(const Variables& all) {
  Result<Shard> shard = Shard();
  if (all.contains("GTEST_TOTAL_SHARDS")) {
    RELOADLAB_ASSIGN(const int count, variable(all, "GTEST_TOTAL_SHARDS", 1));
    RELOADLAB_ASSIGN(const int index, variable(all, "GTEST_SHARD_INDEX", 0));
    shard = checked({index, count, "GTEST_SHARD_INDEX"});
  } else if (all.contains("SLURM_ARRAY_TASK_COUNT")) {
    shard = of_slurm_array(all);
  } else {
    return std::optional<Shard>();
  }
  if (!shard.ok()) return shard.status();
  return std::optional(*std::move(shard));
}

// "8": which one it is the environment says.
Result<Shard> of_so_many(int count, const Variables& all) {
  for (const char* name : {"JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "GTEST_SHARD_INDEX"}) {
    if (!all.contains(name)) continue;
    RELOADLAB_ASSIGN(const int index, variable(all, name, 0));
    return checked({index, count, name});
  }
  return Status(Code::usage, fmt::format("--shard {}: which of them? Neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set, expected "
                                         "1/{} to {}/{}",
                                         count, count, count, count));
}

}  // namespace

Result<std::optional<Shard>> read_shard(const std::string& text, const Variables& environment) {
  if (text.empty()) return of_environment(environment);
  const size_t slash = text.find('/');
  const auto count = whole_number(slash == std::string::npos ? text : text.substr(slash + 1), 1, most);
  if (count && slash == std::string::npos) {
    RELOADLAB_ASSIGN(Shard shard, of_so_many(*count, environment));
    return std::optional(std::move(shard));
  }
  const auto which = whole_number(text.substr(0, slash), 1, most);
  if (count && which && *which <= *count) return std::optional(Shard{*which - 1, *count, "--shard"});
  return Status(Code::usage,
                fmt::format("--shard \"{}\", expected 1/8 to 8/8 for one of eight, or 8 where the environment says which", text));
}

}  // namespace reloadlab::sim
