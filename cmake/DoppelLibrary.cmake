# doppel_add_library(NAME SOURCES ... HEADERS ... [PUBLIC targets...] [PRIVATE targets...] [EXPORT])
# One module: target doppel_NAME, alias doppel::NAME, headers included by their path in the tree.
function(doppel_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  set(target doppel_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(doppel::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
  target_compile_features(${target} PUBLIC cxx_std_23)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC}
                                  PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:doppel_warnings>)
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:doppel_sanitizers>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()
