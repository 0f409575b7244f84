# One interface target carries what every target of the project is compiled with.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED CONFIG)
find_package(OpenSSL 3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Libraries whose sonames differ between releases of Debian and Ubuntu.
set(TRIMTAB_YAML_CPP yaml-cpp)
set(TRIMTAB_SPDLOG spdlog::spdlog)
if(TRIMTAB_PORTABLE)
  # Debian ships a static yaml-cpp without saying so to CMake, and spdlog and fmt as headers only.
  find_library(YAML_CPP_STATIC libyaml-cpp.a REQUIRED)
  set(TRIMTAB_YAML_CPP ${YAML_CPP_STATIC})
  add_library(trimtab_spdlog STATIC ${CMAKE_CURRENT_LIST_DIR}/spdlog.cpp)
  target_compile_definitions(trimtab_spdlog PUBLIC SPDLOG_COMPILED_LIB)
  target_link_libraries(trimtab_spdlog PUBLIC spdlog::spdlog_header_only PRIVATE trimtab_flags)
  set(TRIMTAB_SPDLOG trimtab_spdlog)
endif()

add_library(trimtab_flags INTERFACE)
target_include_directories(trimtab_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(trimtab_flags INTERFACE
  TRIMTAB_VERSION="${PROJECT_VERSION}"
  BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED
  JSON_USE_IMPLICIT_CONVERSIONS=0
  $<$<BOOL:${TRIMTAB_PORTABLE}>:FMT_HEADER_ONLY>
  $<$<BOOL:${TRIMTAB_FAILPOINTS}>:TRIMTAB_FAILPOINTS>)
target_compile_options(trimtab_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  # GCC 12 and newer see uninitialised values in coroutine frames where there are none, and miss,
  # when they inline, that Asio allocates and frees frames by the same pair of functions.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
  # With -O2 GCC 12 sees overlapping copies in std::string where there are none (PR 105651).
  $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>
  # Of files that are compiled as one GCC takes all but one for headers, where this would be bad.
  $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>
  $<$<BOOL:${TRIMTAB_WARNINGS_AS_ERRORS}>:-Werror>
  # A quarter more of memory saves an eighth of the time: GCC does not look for garbage of its own
  # while it has less than 1 GB.
  $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>>:--param=ggc-min-heapsize=1000000>)
target_link_libraries(trimtab_flags INTERFACE Boost::headers Threads::Threads)
# Each function in a section of its own, so that the linker leaves out what no program calls.
target_compile_options(trimtab_flags INTERFACE -ffunction-sections -fdata-sections)
target_link_options(trimtab_flags INTERFACE -Wl,--gc-sections -Wl,--as-needed)
if(TRIMTAB_SANITIZE)
  target_compile_options(trimtab_flags INTERFACE
    -fsanitize=${TRIMTAB_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(trimtab_flags INTERFACE -fsanitize=${TRIMTAB_SANITIZE})
endif()

# trimtab_library(NAME LIBRARIES...): a static library of all .cpp files in this folder.
function(trimtab_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC trimtab_flags ${ARGN})
endfunction()
