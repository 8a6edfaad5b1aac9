#pragma once
// What every quantization method's post-load step keeps of what it declares, whatever it computes: its peak of memory to the byte, the
// slots that it leaves, what it only permutes, and that it runs on placeholders. A method's own test says for which layers:
//
//   INSTANTIATE_TEST_SUITE_P(Wna16, QuantStep, ::testing::ValuesIn(sizes()), quant_step_name);
#include "reference/model/process_tables.h"
#include "tests/reference/model/fixture.h"

namespace reloadlab::model {

class QuantStep : public ::testing::TestWithParam<LayerSpec> {
 protected:
  const QuantInfo& info() const;
  std::vector<SlotSpec> before() const;

 private:
  ProcessTables tables_;
  ProcessScope process_{tables_};  // tables of one device are not another's
};

std::string quant_step_name(const ::testing::TestParamInfo<LayerSpec>& made);  // the method and a number

}  // namespace reloadlab::model
