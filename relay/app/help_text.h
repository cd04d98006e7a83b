// The words of `--help` beyond the list of options.
#pragma once

namespace relay::app::help {

extern const char* const kProgram;
extern const char* const kProgramFooter;
extern const char* const kRunFooter;
extern const char* const kDrainFooter;
extern const char* const kCheckFooter;
extern const char* const kDoctorFooter;
extern const char* const kSlotFooter;
extern const char* const kProgressFooter;
extern const char* const kConfigFooter;
extern const char* const kMigrateFooter;
extern const char* const kPolicyFooter;

}  // namespace relay::app::help
