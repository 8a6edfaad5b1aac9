// The program's main, and the one file of sim/ that names the mutants.
#include <malloc.h>

#include <string>

#include "sim/cli/program.h"
#include "sim/report/text.h"
#include "tests/mutants/wrong.h"

int main(int argc, char** argv) {
  // Models come and go by the hundred megabytes: memory that went back to the system would be asked for again, page by page.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_MXFAST, 0);  // evidence is freed a million small pieces at a time, which lists of them would only have to be merged from
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  reloadlab::mutants::register_mutants();
  const std::string called = argc > 0 ? reloadlab::sim::shell_word(argv[0]) : "";  // in lines to paste
  if (argc > 0) argv[0] = const_cast<char*>(called.c_str());
  return reloadlab::sim::run_program(argc, argv, reloadlab::sim::built_in_engine());
}
